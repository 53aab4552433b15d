"""Decides in which form a message goes into a room: in plain, or sealed, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from agentapp.foundation.envelope import Outgoing
from agentapp.foundation.errors import AgentError
from agentapp.intake.batches import ENCRYPTED_NOTICE
from bots.connector import NotSent, SendRefused
from bots.matrix.crypt.attachments import LockedFile, lock
from bots.matrix.crypt.device import MEGOLM_ALGORITHM
from bots.matrix.crypt.machine import Crypt
from bots.matrix.crypt.writing import limits_of
from bots.matrix.errors import LoginLost, Rejected
from bots.matrix.rooms import RoomView
from bots.matrix.transport import Homeserver

MESSAGE, SEALED_MESSAGE = "m.room.message", "m.room.encrypted"
SEALING_SECONDS = 4.0  # shorter than the host waits for one piece
CANNOT = (
    "This room is encrypted, and the agent does not write there: encryption is not turned on for "
    "this login. Its owner can do that on the page Platforms."
)
UNKNOWN = "This room is encrypted in a way that the agent does not know."


class Sealing:
    """One login's messages, sealed where that is expected.

    Args:
        views: What is known of rooms at this moment.
        was_encrypted: Says of a room whether the record has it as encrypted. Whatever a homeserver
            says later, it stays so.
        crypt: Encrypts; None where the owner has not turned that on.
    """

    def __init__(
        self,
        *,
        server: Homeserver,
        views: Callable[[], Mapping[str, RoomView]],
        was_encrypted: Callable[[str], Awaitable[bool]],
        crypt: Callable[[], Crypt | None],
    ) -> None:
        self._server = server
        self._views = views
        self._was_encrypted = was_encrypted
        self._plain: set[str] = set()  # by the record
        self._crypt = crypt

    async def encryption_of(self, room_id: str) -> Mapping[str, object] | None:
        """Return how a room is encrypted, or None where it is not.

        Raises:
            NotSent: Nobody can say at the moment.
        """
        view = self._views().get(room_id)
        found = view.encryption if view is not None else await self._asked(room_id)
        if found is not None or room_id in self._plain:
            return found
        if await self._was_encrypted(room_id):
            return {"algorithm": MEGOLM_ALGORITHM}
        self._plain.add(room_id)
        return None

    async def _asked(self, room_id: str) -> Mapping[str, object] | None:
        try:
            return await self._server.state(room_id, "m.room.encryption")
        except Rejected:
            return None  # it has none, or the login is not in there and will hear so
        except LoginLost:
            raise
        except AgentError as error:
            raise NotSent(error.message) from error

    async def locked(self, content: bytes, room_id: str) -> tuple[bytes, LockedFile | None]:
        """Return a file as it may lie on the homeserver, and what opens it if it is locked.

        Raises:
            SendRefused: The room is encrypted, and this login cannot do that.
            NotSent: Nobody can say at the moment.
        """
        if await self.encryption_of(room_id) is None:
            return content, None
        if self._crypt() is None:
            raise SendRefused(CANNOT)
        return lock(content)

    async def sealed(
        self, piece: Outgoing, content: dict[str, object]
    ) -> tuple[str, Mapping[str, object]]:
        """Return the type and the content with which a message goes out.

        Raises:
            SendRefused: The room is encrypted, and this login cannot do that.
            NotSent: Not at the moment. Nothing of the message left.
        """
        encryption = await self.encryption_of(piece.room_external_id)
        if encryption is None:
            return MESSAGE, content
        crypt = self._crypt()
        if crypt is None:
            if piece.text == ENCRYPTED_NOTICE:
                return MESSAGE, content
            raise SendRefused(CANNOT)
        if encryption.get("algorithm") != MEGOLM_ALGORITHM:
            raise SendRefused(UNKNOWN)
        try:
            async with asyncio.timeout(SEALING_SECONDS):
                return SEALED_MESSAGE, await crypt.writer.written(
                    piece.room_external_id,
                    MESSAGE,
                    content,
                    key=piece.dedupe_key,
                    limits=limits_of(encryption),
                )
        except (LoginLost, NotSent, Rejected):
            raise
        except TimeoutError as error:
            # What was agreed on until then is kept; the next attempt goes on from there.
            raise NotSent("Sharing the room's key takes longer than a moment.") from error
        except AgentError as error:
            raise NotSent(error.message) from error
