"""What the pages let an owner do with a login's keys, as the engine asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agentapp.foundation.errors import Invalid, Unavailable
from agentapp.identity.platforms import VERIFY_SECONDS
from agentapp.keyring.changes import KeyName, KeyText, MadeKeys
from bots.matrix.parse import PLATFORM

# As `bots.matrix.crypt.ring` names them; every process knows this, few load what does the work.
OWN = (("account", ""), ("identity", ""))


class MatrixKeys:
    """Keys of logins on Matrix homeservers."""

    code = PLATFORM
    own: tuple[KeyName, ...] = OWN
    lasting: tuple[str, ...] = ("identity", "inbound")
    portable = "inbound"

    def draw(self, secret: str, *, earlier: Mapping[KeyName, KeyText]) -> MadeKeys:
        """Return keys for the login's device."""
        from bots.matrix.crypt.making import drawn_keys  # noqa: PLC0415
        from bots.matrix.login import unpacked  # noqa: PLC0415

        login = unpacked(secret)
        if login.is_ghost:
            raise Invalid(
                "Agents of an application service read rooms without encryption only. Give this "
                "one a login of its own for encrypted rooms."
            )
        return drawn_keys(login, earlier)

    def show(self, secret: str, made: MadeKeys, *, password: str) -> MadeKeys:
        """Show them to the homeserver."""
        try:
            return asyncio.run(_shown(secret, made, password))
        except TimeoutError as error:
            raise Unavailable(
                "The homeserver is too slow to answer at the moment. Try again later."
            ) from error

    def export(self, keys: Mapping[KeyName, KeyText], *, passphrase: str) -> bytes:
        """Return room keys as Matrix apps import them."""
        from bots.matrix.crypt import export  # noqa: PLC0415

        return export.locked(export.exported(keys), passphrase, rounds=export.ROUNDS)

    def read_export(
        self, content: bytes, *, passphrase: str, known: Mapping[KeyName, KeyText]
    ) -> dict[KeyName, KeyText]:
        """Return the room keys of such a file that are better than what is known."""
        from bots.matrix.crypt.export import imported, unlocked  # noqa: PLC0415

        return imported(unlocked(content, passphrase), known)


async def _shown(secret: str, made: MadeKeys, password: str) -> MadeKeys:
    from bots.matrix.crypt.making import show_keys  # noqa: PLC0415
    from bots.matrix.login import unpacked  # noqa: PLC0415
    from bots.matrix.transport import Homeserver  # noqa: PLC0415

    server = Homeserver(unpacked(secret))
    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            return await show_keys(server, made, password=password)
    finally:
        await server.close()
