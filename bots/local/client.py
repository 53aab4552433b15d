"""The built-in web rooms as a platform: sending is one transaction of our own intake."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import Error as DatabaseError
from django.db import transaction

from agentapp.drafts.publication.claiming import SEND_TIMEOUT_SECONDS
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.foundation.errors import AgentError, Conflict, Invalid, NotFound, Refused
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake import services as intake
from agentapp.intake.places import NoSuchRoom
from bots.bridge import Bridge
from bots.connector import Accept, SendRefused, TooLate
from bots.local.parse import is_reaction, parse_receipt
from bots.local.render import render_deletion, render_edit, render_message, render_reaction

logger = logging.getLogger(__name__)

PLATFORM = "local"


class LocalConnector:
    """An agent's presence in web rooms. A thousand of them wait without costing anything."""

    def __init__(self, account: HeldAccount, bridge: Bridge) -> None:
        self._account = account
        self._bridge = bridge
        self._stopped = asyncio.Event()

    async def verify(self) -> str:
        """Return the handle; there is nobody else to ask."""
        return self._account.external_id

    async def start(self, accept: Accept) -> None:
        """Wait for the end: what members write goes from their page straight to intake."""
        await self._stopped.wait()

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Write a piece into its room, together with what other agents say at this moment."""
        put = await self._bridge.together(_put_all, (outgoing, self._account.name))
        if isinstance(put, Exception):
            raise put
        return put

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look whether a piece is in its room."""
        return await self._bridge.call(parse_receipt, outgoing)

    async def fetch(self, source: str, *, most: int) -> bytes:
        """Refuse: what members attach here is kept with their message."""
        raise Refused("Files of web rooms are here already.")

    async def upload(self, content: bytes, *, content_type: str, name: str, room: str) -> str:
        """Do nothing: what goes out is here already."""
        return PLATFORM

    async def set_typing(self, room_external_id: str, *, on: bool) -> None:
        """Do nothing: open pages hear from the engine itself that an agent is writing."""

    async def enter(self, room_external_id: str) -> None:
        """Do nothing: who is in a web room is decided here."""

    async def leave(self, room_external_id: str, *, reason: str) -> None:
        """Do nothing, for the same reason."""

    async def end(self) -> None:
        """Do nothing: nobody else knows of this login."""

    async def stop(self) -> None:
        """End `start`."""
        self._stopped.set()


def _put_all(pieces: Sequence[tuple[Outgoing, str]]) -> list[Receipt | Exception]:
    """Write pieces with their agents' names; new messages together, anything else one by one."""
    if len(pieces) > 1 and (said := _said_together(pieces)) is not None:
        return said
    return [_put_or_error(piece, name) for piece, name in pieces]


def _said_together(pieces: Sequence[tuple[Outgoing, str]]) -> list[Receipt | Exception] | None:
    """Write new messages together; None, and nothing is written, where that does not work."""
    now = time.monotonic()
    if any(piece.kind != "message" or now >= piece.deadline for piece, _ in pieces):
        return None
    try:
        with _within_lease(min(piece.deadline for piece, _ in pieces)):
            accepted = intake.accept_in_web_rooms(
                [render_message(piece, name=name) for piece, name in pieces]
            )
    except (AgentError, DatabaseError) as error:
        logger.info("%d pieces are written one by one: %s", len(pieces), type(error).__name__)
        return None
    return [
        Receipt(piece.dedupe_key, message_id=each.message_id)
        if each
        else SendRefused(NoSuchRoom().message)
        for (piece, _), each in zip(pieces, accepted, strict=True)
    ]


def _put_or_error(outgoing: Outgoing, name: str) -> Receipt | Exception:
    try:
        return _put(outgoing, name=name)
    except (AgentError, DatabaseError) as error:  # told to whoever sent this piece only
        return error


def _put(outgoing: Outgoing, *, name: str) -> Receipt:
    """Write a piece, looking at the clock last: this may have waited for a thread."""
    if time.monotonic() >= outgoing.deadline:
        raise TooLate
    try:
        with _within_lease(outgoing.deadline):
            return _PUT[outgoing.kind](outgoing, name)
    except (NotFound, Invalid, Refused, Conflict) as error:
        raise SendRefused(error.message) from error


@contextmanager
def _within_lease(deadline: float) -> Iterator[None]:
    """Undo a write that waited for its room until its claim ran out.

    From then on a suspension may have returned, and nothing may appear any more.

    Raises:
        TooLate: It took too long; nothing is written.
    """
    with transaction.atomic():
        yield
        if time.monotonic() >= deadline + SEND_TIMEOUT_SECONDS:
            raise TooLate


def _put_message(outgoing: Outgoing, name: str) -> Receipt:
    accepted = intake.accept(render_message(outgoing, name=name))
    return Receipt(outgoing.dedupe_key, message_id=accepted.message_id)


def _put_reaction(outgoing: Outgoing, name: str) -> Receipt:
    intake.accept_reaction(render_reaction(outgoing, name=name))
    return Receipt(outgoing.dedupe_key)


def _take_back(outgoing: Outgoing, name: str) -> Receipt:
    if is_reaction(outgoing):
        intake.accept_reaction(render_reaction(outgoing, name=name, present=False))
    else:
        intake.accept_delete(render_deletion(outgoing))
    return Receipt(str(outgoing.extra["external_id"]))


def _correct(outgoing: Outgoing, name: str) -> Receipt:
    message_id = intake.accept_edit(render_edit(outgoing))
    return Receipt(str(outgoing.extra["external_id"]), message_id=message_id)


_PUT: dict[str, Callable[[Outgoing, str], Receipt]] = {
    "message": _put_message,
    "file": _put_message,
    "edit": _correct,
    "reaction": _put_reaction,
    "retract": _take_back,
}
