"""What one connection knows of its places: what is read, how far, and what it said there."""

from __future__ import annotations

from dataclasses import dataclass, field

import discord

from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import Place
from agentapp.intake.seen import Item, Move

MOST_WAITING = 5_000  # things heard that wait; what is beyond is fetched again afterwards


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that happened in a place, or in a whole server."""

    place: Place
    items: tuple[Item, ...] = ()
    newest: int = 0
    left: str = ""
    call: Call | None = None
    move: Move | None = None


@dataclass
class Mark:
    """How far a place is on record.

    Attributes:
        read_to: The newest message up to which nothing is missing.
        is_behind: Messages before those now heard may be missing. What is heard until they are
            read is held, so that the record keeps the room's order.
        has_archive: Threads may have been archived since, unseen.
        since: When the agent came in, as one of Discord's ids; 0 where that is not known.
        kind: direct, room or thread.
    """

    read_to: int = 0
    is_behind: bool = True
    has_archive: bool = True
    since: int = 0
    kind: str = "room"
    name: str = ""
    held: list[Heard] = field(default_factory=list)


@dataclass
class Book:
    """What one connection knows of its places.

    Attributes:
        marks: By channel, thread or direct room; only these are read.
        sent: Under which id stands what was sent with a key.
    """

    marks: dict[int, Mark] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def reads(self, channel: object) -> bool:
        """Say whether what is said somewhere is read."""
        if isinstance(channel, discord.DMChannel):
            return True
        if isinstance(channel, discord.Thread):
            return channel.id in self.marks or channel.parent_id in self.marks
        return getattr(channel, "id", 0) in self.marks

    def reads_in(self, guild: discord.Guild) -> bool:
        """Say whether any channel of a server is read."""
        return any(one.id in self.marks for one in guild.channels)

    def mark_of(self, channel: object, place: Place) -> Mark:
        """Return how far a place is on record; a new thread is read whole if it began meanwhile."""
        channel_id = int(place.external_id)
        known = self.marks.get(channel_id)
        if known is not None:
            return known
        mark = Mark(is_behind=False, has_archive=False, kind=place.kind, name=place.name)
        parent = self.marks.get(getattr(channel, "parent_id", None) or 0)
        if parent is not None:
            mark.is_behind = parent.is_behind
            mark.read_to = channel_id - 1 if 0 < parent.read_to < channel_id else 0
        self.marks[channel_id] = mark
        return mark

    def all_behind(self) -> None:
        """Note that messages may have been missed everywhere."""
        for mark in self.marks.values():
            mark.is_behind = mark.has_archive = True
