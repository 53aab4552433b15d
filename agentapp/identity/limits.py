"""How much is allowed: typed numbers with a default per host, overruled layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Every number that product defaults name for deciding and answering, with its unit.
HOST_DEFAULTS: dict[str, float] = {
    "person_turns_10min": 10,  # answers of one agent to one person
    "person_turns_day": 60,
    "room_turns_10min": 30,  # answers of all agents in one room
    "unaddressed_turns_hour": 3,  # answers of one agent in one room to nobody in particular
    "unaddressed_share": 0.10,  # of the last `unaddressed_window` messages
    "unaddressed_window": 50,  # messages
    "reactions_hour": 10,  # of one agent in one room
    "agent_chain": 5,  # messages of agents in a row
    "agent_turns_without_human": 20,  # turns of all agents in one room
    "join_similarity": 0.45,  # cosine between a message and an interest that lets an agent join in
    "notice_similarity": 0.30,  # cosine from which an agent notices a message
    "fresh_minutes": 30,  # age up to which a message is answered, after downtime for instance
    "fresh_messages": 30,  # newer messages up to which it is
    "context_messages": 40,  # recent messages that are read
    "context_tokens": 6_000,  # tokens of one prompt
    "memories": 8,  # memories that enter one prompt
    "tool_steps": 4,  # answers of the model for one thought, the last one in words
    "answer_seconds": 60,  # for one answer of the model, retries included
    "notice_minutes": 10,  # between two notices of a failure in one room
    "file_mb": 10,  # megabytes of one file
    "message_files": 4,  # files of one message
    "room_files_mb_day": 200,
    "workspace_files_mb_day": 1_000,
    "workspace_files_mb": 5_000,  # all that is kept
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that holds, and the layer that decided it: host, workspace, agent or room."""

    value: float
    layer: str


_HOST = {name: Limit(value, "host") for name, value in HOST_DEFAULTS.items()}


def effective(
    name: str,
    *,
    workspace: Mapping[str, object] | None = None,
    agent: Mapping[str, object] | None = None,
    room: Mapping[str, object] | None = None,
) -> Limit:
    """Return a limit as it holds for an agent in a room.

    Args:
        name: A key of `HOST_DEFAULTS`.
        workspace: The workspace's `limits`; likewise `agent` and `room`. The narrowest layer that
            names a usable number (0 or more) wins; anything else in a layer is passed over.

    Raises:
        KeyError: There is no such limit.
    """
    return every(workspace=workspace, agent=agent, room=room)[name]


def every(
    *,
    workspace: Mapping[str, object] | None = None,
    agent: Mapping[str, object] | None = None,
    room: Mapping[str, object] | None = None,
) -> Mapping[str, Limit]:
    """Return all limits by name, each as `effective` does."""
    layers = {"workspace": workspace, "agent": agent, "room": room}
    named = [(layer, values) for layer, values in layers.items() if values]
    if not named:
        return _HOST
    found = dict(_HOST)
    for layer, values in named:
        for name in found.keys() & values.keys():
            value = values[name]
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
                found[name] = Limit(value, layer)
    return found
