"""What a platform's folder has to offer: one connector per login.

A connector only moves things. It decides nothing, keeps nothing that a restart may not lose, and
knows neither drafts nor gates: whatever it is asked to send has already passed them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from agentapp.foundation.envelope import (
    Incoming,
    IncomingDelete,
    IncomingEdit,
    IncomingReaction,
    Outgoing,
    Receipt,
)
from agentapp.foundation.errors import Refused, Unavailable

Shown: TypeAlias = Incoming | IncomingEdit | IncomingDelete | IncomingReaction
Accept: TypeAlias = Callable[[Shown], Awaitable[None]]


class NotSent(Unavailable):
    """Nothing left: the platform surely does not have it. It may be tried again."""


class TooLate(NotSent):
    """The time in which this piece might leave had passed before it left."""


class SendRefused(Refused):
    """The platform will never take this: the room is gone, or the right to write there."""


class FileTooLong(Refused):
    """The platform's file is longer than was allowed; the rest was not read."""


class Connector(Protocol):
    """One login on one platform."""

    async def verify(self) -> str:
        """Ask the platform who this login is; return its own id of it.

        Raises:
            Refused: The login is no longer valid. Trying again is of no use until it is changed.
            Unavailable: The platform does not answer.
        """

    async def start(self, accept: Accept) -> None:
        """Listen until stopped; hand on everything the platform shows, in its order.

        `accept` returns once it is stored; only then may a cursor move past it.
        """

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Put a piece on the platform, once however often it is called with the same key.

        Looks at `outgoing.deadline` right before bytes leave.

        Raises:
            NotSent: Nothing left (`TooLate` when the deadline had passed).
            SendRefused: It will never be taken.
            Exception: Anything else leaves open whether it arrived.
        """

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look on the platform for what an earlier send with this key left there."""

    async def fetch(self, source: str, *, most: int) -> bytes:
        """Return a file that somebody put into a room, reading at most `most` bytes of it.

        Raises:
            FileTooLong: It is longer, whatever its sender said.
            Refused: It will never be given. Anything else: perhaps later.
        """

    async def upload(self, content: bytes, *, content_type: str, name: str, room: str) -> str:
        """Lay a file down on the platform, where nobody sees it yet; return where it is.

        Args:
            room: Where it will be shown, by the platform's id.

        Raises:
            Refused: It will never be taken. Anything else: perhaps later.
        """

    async def set_typing(self, room_external_id: str, *, on: bool) -> None:
        """Show or hide that this login is writing in a room."""

    async def enter(self, room_external_id: str) -> None:
        """Go into a room that this login was invited into, as its owner decided.

        Raises:
            SendRefused: It can no longer be entered. Anything else: perhaps later.
        """

    async def leave(self, room_external_id: str, *, reason: str) -> None:
        """Leave a room, or decline the invitation into it; where it is not there, nothing happens.

        Args:
            reason: Shown to whoever stays; "" for none.
        """

    async def end(self) -> None:
        """Leave every room and give the login back to the platform; nothing follows.

        Raises:
            Refused: The platform has taken it back already. Anything else: perhaps later.
        """

    async def stop(self) -> None:
        """Leave the platform; `start` then returns."""
