"""How a decision's reasons are told, and what caps are counted over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

MAX_REASON = 200  # characters


class Weight(StrEnum):
    """What a reason speaks for."""

    YES = "yes"
    NO = "no"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence on why an agent acts or stays silent; `code` is for programs."""

    kind: Weight
    code: str
    words: str


def stored(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Return reasons as they stand in a turn's row: `kind`, `code` and `words` each."""
    return [
        {**asdict(each), "kind": str(each.kind), "words": each.words[:MAX_REASON]}
        for each in reasons
    ]


@dataclass(frozen=True, slots=True)
class Spoken:
    """How much was spoken in a room of late.

    Attributes:
        room_10min: Answers of all agents.
        unaddressed_hour: Per agent, answers to nobody in particular.
        unaddressed_window: The same, among the last messages of the room.
        reactions_hour: Per agent.
        without_human: Turns of all agents since a human last spoke, reactions included.
        answers_without_human: The same without reactions.
        to_person: Per (agent, person), answers within 10 minutes and within a day.
    """

    room_10min: int = 0
    unaddressed_hour: Mapping[int, int] = field(default_factory=dict)
    unaddressed_window: Mapping[int, int] = field(default_factory=dict)
    reactions_hour: Mapping[int, int] = field(default_factory=dict)
    without_human: int = 0
    answers_without_human: int = 0
    to_person: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
