"""Puts pieces on a homeserver and finds again what an earlier attempt left there."""

from __future__ import annotations

import asyncio
import logging
import time

from agentapp.foundation.envelope import Outgoing, Place
from agentapp.foundation.errors import AgentError
from bots.connector import NotSent, SendRefused, TooLate
from bots.matrix.backfill import events_of
from bots.matrix.errors import Limited, Rejected
from bots.matrix.parse import Said, parse_event, thread_in_clear
from bots.matrix.power import Powers
from bots.matrix.recent import Known, Recent
from bots.matrix.render import (
    Answered,
    render_edit,
    render_file,
    render_message,
    render_reaction,
)
from bots.matrix.sealing import Sealing
from bots.matrix.transport import Homeserver
from bots.matrix.viewing import Viewer

logger = logging.getLogger(__name__)

_NOWHERE = Place("")
READ_BACK_PAGES = 3  # of 100 events, the newest first


class Sender:
    """One login's way out.

    Args:
        sealing: Encrypts where people expect secrecy; nothing goes there in plain but the
            sentence that says that nothing can.
    """

    def __init__(self, *, server: Homeserver, recent: Recent, sealing: Sealing) -> None:
        self._server = server
        self._recent = recent
        self.sealing = sealing
        self._rest_until = 0.0  # monotonic

    async def put(self, piece: Outgoing) -> str:
        """Send a piece; return the event's id.

        Raises:
            NotSent, SendRefused, LoginLost: See there. Anything else leaves it open.
        """
        await self._rest(piece.deadline)
        try:
            return await self._put(piece)
        except Limited as limited:
            self._rest_until = time.monotonic() + limited.seconds
            raise
        except Rejected as error:
            if error.code == "M_FORBIDDEN":
                raise SendRefused(await self._why_forbidden(piece)) from error
            raise

    async def _rest(self, deadline: float) -> None:
        """Leave a homeserver alone that asked for it; a piece that would be late goes back."""
        left = self._rest_until - time.monotonic()
        if self._rest_until >= deadline:
            raise Limited(max(left, 0.0))
        if left > 0:
            await asyncio.sleep(left)

    async def _put(self, piece: Outgoing) -> str:
        room, key = piece.room_external_id, piece.dedupe_key
        if piece.kind == "retract":
            _refuse_late(piece)
            await self._server.redact(room, str(piece.extra["external_id"]), key)
            return str(piece.extra["external_id"])
        if piece.kind == "reaction":
            return await self._react(piece)
        if piece.kind in {"file", "edit"}:
            return await self._put_other(piece)
        target = piece.reply_to or str(piece.extra.get("follows", ""))
        content = render_message(
            piece.text,
            answered=await self._answered(room, target) if target else None,
            is_notice=piece.extra.get("is_notice") is True,
            goes_on=not piece.reply_to,
        )
        return await self._send(piece, content)

    async def _put_other(self, piece: Outgoing) -> str:
        """Send a file that lies on the homeserver already, or new words for an own message."""
        extra = piece.extra
        if piece.kind == "edit":
            target = str(extra["external_id"])
            content = render_edit(piece.text, event_id=target)
        else:
            target = ""
            content = render_file(
                name=str(extra["name"]),
                where=str(extra["uploaded"]),
                content_type=str(extra["content_type"]),
                size=int(str(extra["size"])),
            )
        event_id = await self._send(piece, content)
        return target or event_id

    async def _send(self, piece: Outgoing, content: dict[str, object]) -> str:
        """Put a message into its room, sealed where the room's people expect that."""
        kind, sealed = await self.sealing.sealed(piece, content)
        _refuse_late(piece)
        event_id = await self._server.send(piece.room_external_id, kind, sealed, piece.dedupe_key)
        self._recent.sent(piece.dedupe_key, event_id)
        return event_id

    async def _react(self, piece: Outgoing) -> str:
        content = render_reaction(piece.emoji, event_id=piece.reply_to)
        _refuse_late(piece)
        try:
            return await self._server.send(
                piece.room_external_id, "m.reaction", content, piece.dedupe_key
            )
        except Rejected as error:
            if error.code != "M_DUPLICATE_ANNOTATION":
                raise
            found = await self._own_reaction(piece)
            if not found:
                raise
            return found

    async def _answered(self, room: str, event_id: str) -> Answered | None:
        """Return who wrote the answered event and in which thread it stands.

        Raises:
            NotSent: The homeserver cannot say at the moment; nothing was sent.
        """
        known = self._recent.known(event_id)
        if known is None:
            try:
                event = await self._server.event(room, event_id)
            except Rejected:
                return None  # gone or hidden from us: then the words stand alone
            except AgentError as error:
                raise NotSent(error.message) from error
            viewer = Viewer(0, self._server.login.user_id)
            said = parse_event(event, viewer=viewer, place=_NOWHERE, names={})
            self._recent.note(event, said)
            thread = said.thread if isinstance(said, Said) else thread_in_clear(event)
            known = self._recent.known(event_id) or Known(str(event.get("sender", "")), thread)
        return Answered(event_id, known.sender, known.thread)

    async def find(self, piece: Outgoing) -> str:
        """Return the id of what an earlier attempt with this key left, or "".

        Raises:
            AgentError: The homeserver cannot say.
        """
        if piece.kind == "retract":
            return await self._find_retracted(piece)
        if piece.kind == "reaction":
            return await self._own_reaction(piece)
        known = self._recent.event_of(piece.dedupe_key) or await self._find_message(piece)
        return str(piece.extra["external_id"]) if known and piece.kind == "edit" else known

    async def _find_message(self, piece: Outgoing) -> str:
        start = ""
        for _ in range(READ_BACK_PAGES):
            page = await self._server.messages(piece.room_external_id, start=start)
            for event in events_of(page, "chunk"):
                unsigned = event.get("unsigned")
                key = unsigned.get("transaction_id") if isinstance(unsigned, dict) else None
                if key == piece.dedupe_key and isinstance(event.get("event_id"), str):
                    return str(event["event_id"])
            following = page.get("end")
            if not isinstance(following, str):
                return ""
            start = following
        return ""

    async def _find_retracted(self, piece: Outgoing) -> str:
        event_id = str(piece.extra["external_id"])
        try:
            event = await self._server.event(piece.room_external_id, event_id)
        except Rejected:
            return event_id  # nobody can see it any more
        unsigned = event.get("unsigned")
        is_gone = isinstance(unsigned, dict) and "redacted_because" in unsigned
        return event_id if is_gone else ""

    async def _own_reaction(self, piece: Outgoing) -> str:
        answer = await self._server.relations(
            piece.room_external_id, piece.reply_to, "m.annotation"
        )
        for event in events_of(answer, "chunk"):
            content = event.get("content")
            relation = content.get("m.relates_to") if isinstance(content, dict) else None
            is_ours = event.get("sender") == self._server.login.user_id
            if is_ours and isinstance(relation, dict) and relation.get("key") == piece.emoji:
                return str(event.get("event_id", ""))
        return ""

    async def _why_forbidden(self, piece: Outgoing) -> str:
        """Return what the owner can do about a refusal, as far as the room's state says."""
        room, own = piece.room_external_id, self._server.login.user_id
        kind = {"retract": "m.room.redaction", "reaction": "m.reaction"}.get(
            piece.kind, "m.room.message"
        )
        try:
            levels = await self._server.state(room, "m.room.power_levels")
            create = await self._server.state(room, "m.room.create", whole=True)
        except AgentError:
            return "This login is not in that room any more. Invite it again."
        powers = Powers(create, levels)
        if powers.may_send(own, kind):
            return "The homeserver does not let this login write in that room."
        has, needs = powers.of(own), powers.needed(kind)
        return (
            f"In that room this takes power level {needs}, and the agent has {has}. Ask somebody "
            "who looks after the room to raise it."
        )


def _refuse_late(piece: Outgoing) -> None:
    if time.monotonic() >= piece.deadline:
        raise TooLate
