"""Brings approval cards to owners in a direct chat, and tidies them up once they are decided."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, runtime_checkable

from django.db import Error as DatabaseError

from agentapp.cards import showing
from agentapp.cards.showing import CardFace
from agentapp.foundation.errors import AgentError
from bots.bridge import Bridge
from bots.connector import Connector, SendRefused

logger = logging.getLogger(__name__)

LONGEST = 15.0  # seconds for one card


@runtime_checkable
class ShowsCards(Protocol):
    """A login whose platform has buttons."""

    async def show_card(self, face: CardFace) -> tuple[str, str]:
        """Show a card, or change the one that stands; return its place and its id there.

        Showing the same key twice shows one card, as far as the platform can tell.

        Raises:
            SendRefused: It cannot be shown to this person. Anything else: perhaps later.
        """


class Cards:
    """Shows what is due on the logins of this process.

    Args:
        bridge: The way to the engine.
        connectors: The logins that this process may serve at this moment.
    """

    def __init__(
        self, *, bridge: Bridge, connectors: Callable[[], Mapping[uuid.UUID, Connector]]
    ) -> None:
        self._bridge = bridge
        self._connectors = connectors
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Begin what is due, unless the round before is still at work."""
        bearers = {pk: one for pk, one in self._connectors().items() if isinstance(one, ShowsCards)}
        if not bearers or (self._task is not None and not self._task.done()):
            return
        due = await self._bridge.call(showing.due, accounts=list(bearers))
        if due:
            self._task = asyncio.create_task(self._show_all(due, bearers))

    def stop(self) -> None:
        """Begin nothing more; what was not shown stays due."""
        if self._task is not None:
            self._task.cancel()

    async def _show_all(
        self, faces: list[CardFace], bearers: Mapping[uuid.UUID, ShowsCards]
    ) -> None:
        for face in faces:
            try:
                await self._show(face, bearers[face.account_id])
            except DatabaseError as error:
                logger.warning("a card waits for the database: %s", type(error).__name__)

    async def _show(self, face: CardFace, bearer: ShowsCards) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                place, message = await bearer.show_card(face)
        except SendRefused as error:
            await self._failed(face, error.message, is_final=True)
        except Exception as error:  # noqa: BLE001  (whatever it was, the next attempt may do)
            said = error.message if isinstance(error, AgentError) else type(error).__name__
            await self._failed(face, said, is_final=False)
        else:
            await self._bridge.call(partial(showing.shown, face, place=place, message=message))

    async def _failed(self, face: CardFace, error: str, *, is_final: bool) -> None:
        logger.info("a card is not shown: %s", error)
        await self._bridge.call(partial(showing.not_shown, face, error=error, is_final=is_final))
