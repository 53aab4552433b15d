"""What is known of rooms that an application service is told about: counted here, not by syncs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from typing_extensions import override

from bots.matrix.parse import user_of
from bots.matrix.rooms import RoomView
from bots.matrix.transport import CLIENT, Homeserver
from bots.matrix.wire import Request

MAX_STATE = 64 * 1024 * 1024  # bytes of a room's state
STATE_SECONDS = 60.0


@dataclass
class GhostView(RoomView):
    """One room as its state events describe it, its members among them."""

    inside: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)

    @override
    def _take_member(self, user_id: str, content: Mapping[str, object]) -> None:
        super()._take_member(user_id, content)
        if not user_of(user_id):
            return
        membership = content.get("membership")
        for members, word in ((self.inside, "join"), (self.asked, "invite")):
            if membership == word:
                members.add(user_id)
            else:
                members.discard(user_id)
        self.joined, self.invited = len(self.inside), len(self.asked)


async def load(server: Homeserver, room_id: str) -> GhostView:
    """Return a room as its homeserver describes it to somebody who is in it.

    Raises:
        Rejected: It is not shown to this user. NotReached, Faltering, Limited: Ask again.
    """
    view = GhostView(room_id, server.login.user_id)
    path = f"{CLIENT}/rooms/{quote(room_id, safe='')}/state"
    view.take_state(
        await server.listed(Request("GET", path, seconds=STATE_SECONDS, most=MAX_STATE))
    )
    return view
