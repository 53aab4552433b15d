"""People who come into a server and leave it: on record, and no longer spoken to once they left."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import DataError, IntegrityError, transaction

from agentapp.conversation.rules import stored_id
from agentapp.drafts.services import withdraw_to
from agentapp.foundation.envelope import AuthorKind, Incoming
from agentapp.identity.models import Identity, Room
from agentapp.identity.services import stays
from agentapp.identity.services.people import handles
from agentapp.intake.places import Whereabouts, writer
from agentapp.intake.seen import Batch, Move, RoomNews

logger = logging.getLogger(__name__)

LEFT = "Who it answers has left."


def take_moves(batch: Batch) -> None:
    """Take in who came and who left, inside the caller's transaction, each of them once.

    Who comes becomes known; who leaves and is not known stays unknown. Bots are none of it.

    Writes: Identity, Person and what `stays` writes; Draft and Outbound (withdrawn) of what
    answers somebody in a server that they left.
    """
    at = Whereabouts(batch.workspace_id, batch.platform)
    for move in batch.moves:
        try:
            with transaction.atomic():
                _take(at, move)
        except (DataError, IntegrityError, ValueError) as error:
            # As with messages: one odd event must not hold up everything behind it.
            logger.warning("a coming or going is passed over: %s", type(error).__name__)


def _take(at: Whereabouts, move: Move) -> None:
    if move.who.kind != AuthorKind.HUMAN:
        return
    group = stays.Group(stored_id(move.group), move.group_name)
    if move.is_in:
        identity = writer(at=at, author=move.who)
        if identity.kind == Identity.Kind.HUMAN:
            stays.came(identity=identity, group=group, at=move.at)
        return
    known = handles.first(
        workspace_id=at.workspace_id,
        platform=at.platform,
        external_id=stored_id(move.who.external_id),
    )
    if known is None or known.kind != Identity.Kind.HUMAN or known.person_id is None:
        return
    if stays.left(identity=known, group=group):
        rooms = stays.rooms_of(known, group.external_id).values_list("pk", flat=True)
        withdraw_to(people=[known.person_id], rooms=list(rooms), reason=LEFT)


def take_words(room: Room, news: RoomNews) -> None:
    """Have those be there again who wrote something after they left; the caller locked the room."""
    if not room.group_id:
        return
    said: dict[str, datetime | None] = {}
    for item in news.items:
        if isinstance(item, Incoming):
            who = stored_id(item.author.external_id)
            said[who] = _later(said[who], item.sent_at) if who in said else item.sent_at
    if said:
        stays.spoke(room=room, said=said)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two times; None is now."""
    return None if one is None or other is None else max(one, other)
