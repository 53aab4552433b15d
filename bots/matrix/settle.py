"""Finds out what a change means that names something unknown: by the record, then the homeserver.

Anybody in a room can send an edit of anybody's message; only its author's counts. A removal does
not say whether it removes a message or a reaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from agentapp.foundation.envelope import Author, IncomingDelete, IncomingReaction, Place
from agentapp.foundation.text import one_line
from agentapp.intake.queries import standing_reactions, unknown_messages
from agentapp.intake.seen import EditBy, Item, Remark
from bots.bridge import Bridge
from bots.matrix.backfill import events_of
from bots.matrix.errors import Faltering, Rejected
from bots.matrix.parse import (
    MAX_KEY,
    PLATFORM,
    Changed,
    Parsed,
    Reacted,
    Said,
    TakenBack,
    user_of,
)
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

MOST_LOOKUPS = 50  # events of one room and sync that the homeserver is asked about
RETRY_SECONDS = 0.5


class Settler:
    """Makes items for the engine of what was parsed."""

    def __init__(self, *, server: Homeserver, bridge: Bridge, workspace_id: int) -> None:
        self._server = server
        self._bridge = bridge
        self._workspace_id = workspace_id

    async def items(self, room_id: str, parsed: Sequence[Parsed]) -> list[Item]:
        """Return one room's items in their order.

        Raises:
            NotReached, Limited: The homeserver has to be asked later.
        """
        unknown = await self._unknown(room_id, parsed)
        looked_up = await self._looked_up(room_id, unknown)
        reactions = {one.event_id: one.reaction for one in parsed if isinstance(one, Reacted)}
        items: list[Item] = []
        for one in parsed:
            match one:
                case Said(incoming, is_notice):
                    items.append(Remark(incoming) if is_notice else incoming)
                case Changed(edit, by):
                    if edit.external_id not in unknown or _is_by(
                        looked_up.get(edit.external_id), by
                    ):
                        items.append(EditBy(edit, by))
                case Reacted(reaction):
                    items.append(reaction)
                case TakenBack(place, target, at):
                    items += await self._taken_back(
                        place, target, at, reactions.get(target), unknown, looked_up
                    )
        return items

    async def _unknown(self, room_id: str, parsed: Sequence[Parsed]) -> set[str]:
        """Return which changed things neither came with this sync nor are on record."""
        arrived = {one.incoming.external_id for one in parsed if isinstance(one, Said)}
        arrived |= {one.event_id for one in parsed if isinstance(one, Reacted)}
        changed = {one.edit.external_id for one in parsed if isinstance(one, Changed)}
        changed |= {one.target for one in parsed if isinstance(one, TakenBack)}
        if not changed - arrived:
            return set()
        ids = {(room_id, event_id) for event_id in changed - arrived}
        asked = partial(
            unknown_messages, workspace_id=self._workspace_id, platform=PLATFORM, ids=ids
        )
        return {event_id for _, event_id in await self._bridge.call(asked)}

    async def _looked_up(self, room_id: str, unknown: set[str]) -> dict[str, dict[str, Any]]:
        if len(unknown) > MOST_LOOKUPS:
            logger.warning("%d changes of unknown events are passed over", len(unknown))
        found = {}
        for event_id in sorted(unknown)[:MOST_LOOKUPS]:
            event = await self._event(room_id, event_id)
            if event is not None:
                found[event_id] = event
        return found

    async def _event(self, room_id: str, event_id: str) -> dict[str, Any] | None:
        """Return an event, or None: a homeserver that fails at one must not hold up all others."""
        for _ in range(2):
            try:
                return await self._server.event(room_id, event_id)
            except Rejected:
                return None
            except Faltering:
                await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _taken_back(
        self,
        place: Place,
        target: str,
        at: datetime | None,
        reaction: IncomingReaction | None,
        unknown: set[str],
        looked_up: dict[str, dict[str, Any]],
    ) -> list[Item]:
        if reaction is not None:
            return [
                _removed(
                    place,
                    reaction.author,
                    reaction.message_external_id,
                    reaction.emoji,
                    self._workspace_id,
                    at,
                )
            ]
        if target not in unknown:
            return [IncomingDelete(self._workspace_id, PLATFORM, place, target, at)]
        event = looked_up.get(target, {})
        # A message that never came is not served any more; an edit's removal changes nothing.
        if event.get("type") != "m.reaction":
            return []
        return await self._missing_reactions(place, user_of(event.get("sender")), at)

    async def _missing_reactions(
        self, place: Place, sender: str, at: datetime | None
    ) -> list[Item]:
        """Compare what somebody's reactions are on record with what the room still shows."""
        asked = partial(
            standing_reactions,
            workspace_id=self._workspace_id,
            platform=PLATFORM,
            room_external_id=place.external_id,
            by=sender,
        )
        standing = await self._bridge.call(asked) if sender else []
        shown: dict[str, set[str] | None] = {}
        for message, _ in standing:
            if message not in shown:
                shown[message] = await self._shown(place.external_id, message, sender)
        return [
            _removed(place, Author(sender, ""), message, emoji, self._workspace_id, at)
            for message, emoji in standing
            if (keys := shown[message]) is not None and emoji not in keys
        ]

    async def _shown(self, room_id: str, message: str, sender: str) -> set[str] | None:
        """Return the emoji that somebody has on a message; None when that cannot be told."""
        try:
            answer = await self._server.relations(room_id, message, "m.annotation")
        except (Rejected, Faltering):
            return None
        if "next_batch" in answer:
            return None  # too many to be all of them
        keys = set()
        for event in events_of(answer, "chunk"):
            content = event.get("content")
            relation = content.get("m.relates_to") if isinstance(content, dict) else None
            key = relation.get("key") if isinstance(relation, dict) else None
            if event.get("sender") == sender and isinstance(key, str):
                keys.add(one_line(key[:MAX_KEY], limit=MAX_KEY))
        return keys


def _is_by(event: dict[str, Any] | None, sender: str) -> bool:
    return event is not None and event.get("sender") == sender


def _removed(
    place: Place, author: Author, message: str, emoji: str, workspace_id: int, at: datetime | None
) -> IncomingReaction:
    return IncomingReaction(
        workspace_id=workspace_id,
        platform=PLATFORM,
        place=place,
        message_external_id=message,
        author=author,
        emoji=emoji,
        present=False,
        changed_at=at,
    )
