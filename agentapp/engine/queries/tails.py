"""The rooms in which lanes are decided on, and how what was said there ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.engine.rules.views import SPEAKERS, Mind
from agentapp.foundation.prepared import prepared_by
from agentapp.identity.models import Room
from agentapp.intake.lanes import ClaimedLane

BURST = 200  # messages decided on at once; the rest of a longer burst follows at once


@dataclass(frozen=True, slots=True)
class Scene:
    """A room in which lanes are decided on.

    Attributes:
        room: With its workspace.
        claimed: Lanes of this room.
        through: Newest message that counts; later ones are the next burst.
    """

    room: Room
    claimed: Sequence[ClaimedLane]
    through: int

    @property
    def agent_ids(self) -> list[int]:
        """Return the agents that decide."""
        return [lane.agent_id for lane in self.claimed]


@dataclass(frozen=True, slots=True)
class Tail:
    """The room's last messages: the first of them, the last human's, how many agents end it."""

    first_id: int
    human_id: int
    run: int


def read_tails(scenes: Sequence[Scene], minds: Sequence[Mapping[int, Mind]]) -> list[Tail]:
    """Look at the ends of the rooms; one query per length that agents count over."""
    sizes = [_window(each) for each in minds]
    found: dict[int, Tail] = {}
    for size in set(sizes):
        asked = [scene for scene, own in zip(scenes, sizes, strict=True) if own == size]
        rows = _last.many(
            [{"room_id": scene.room.pk, "through": scene.through, "size": size} for scene in asked]
        )
        found |= {scene.room.pk: _tail(own) for scene, own in zip(asked, rows, strict=True)}
    return [found[scene.room.pk] for scene in scenes]


def _tail(rows: Sequence[tuple[int, str]]) -> Tail:
    if not rows:
        return Tail(0, 0, 0)
    first_id = rows[-1][0]
    human = next((n for n, (_, kind) in enumerate(rows) if kind in SPEAKERS), None)
    if human is None:
        return Tail(first_id, first_id, len(rows))
    return Tail(first_id, rows[human][0], human)


@prepared_by("size")
def _last(room_id: int, through: int, size: int) -> QuerySet[Message, tuple[int, str]]:
    return (
        readable(room_id=room_id)
        .filter(id__lte=through)
        .order_by("-id")
        .values_list("id", "author__kind")[:size]
    )


def _window(minds: Mapping[int, Mind]) -> int:
    """Return how many of the last messages any of these agents counts over."""
    sizes = (int(mind.limit("unaddressed_window").value) for mind in minds.values())
    return min(max(sizes, default=1), BURST) or 1
