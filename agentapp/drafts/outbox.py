"""The pieces of an approved draft, waiting for the wire."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet

from agentapp.drafts import rules
from agentapp.drafts.cutting import cut
from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation import clock
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import notify_on_commit
from agentapp.foundation.errors import Refused
from agentapp.foundation.prepared import insert_many, prepared
from agentapp.identity.models import Account
from agentapp.identity.platforms import most_characters

WAKE_CHANNEL = "greenroom_outbound"


class NoLogin(Refused):
    """The agent has no login on that platform any more."""


def queue(draft: Draft, *, delay_seconds: float) -> None:
    """Write one approved draft's pieces; otherwise `queue_all`."""
    queue_all([draft], delay_seconds=delay_seconds)


def queue_all(drafts: Sequence[Draft], *, delay_seconds: float) -> None:
    """Write approved drafts' pieces, inside the caller's transaction, and wake the senders.

    The words come first, then the files in their order.

    Raises:
        NoLogin: Nobody could send one of them. Nothing is written.
    """
    if not drafts:
        return
    logins = _logins.first_of_each(
        [{"agent_id": each.agent_id, "platform": each.room.platform} for each in drafts]
    )
    delay = timedelta(seconds=delay_seconds)
    not_before = clock.now() + delay if delay else GreenroomNow()
    pieces = []
    for draft, account_id in zip(drafts, logins, strict=True):
        if account_id is None:
            raise NoLogin
        texts = _texts(draft)
        files = list(draft.files.order_by("pk")) if draft.file_count else []
        pieces += [
            Outbound(
                draft=draft,
                agent_id=draft.agent_id,
                room_id=draft.room_id,
                account_id=account_id,
                seq=seq,
                text=text,
                file=file,
                dedupe_key=rules.dedupe_key(),
                not_before=not_before,
                epoch=draft.epoch,
            )
            for seq, (text, file) in enumerate(
                [*((text, None) for text in texts), *(("", file) for file in files)]
            )
        ]
    insert_many(pieces)
    wake()


def _texts(draft: Draft) -> list[str]:
    """Return a draft's words in messages as long as its platform takes; none for files alone."""
    if draft.kind == Draft.Kind.REACTION:
        return [""]
    return cut(draft.text, limit=most_characters(draft.room.platform))


@prepared
def _logins(agent_id: int, platform: str) -> QuerySet[Account, uuid.UUID]:
    return (
        Account.objects.filter(agent_id=agent_id, platform=platform, state=Account.State.ON)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def wake() -> None:
    """Tell the senders, once this transaction commits; a lost notice costs them one poll."""
    notify_on_commit(WAKE_CHANNEL)


def take_back(draft_id: int) -> bool:
    """Delete a draft's pieces if none of them was ever claimed.

    Call before locking the draft: claims lock pieces first. Returns False, having deleted
    nothing, when a piece is or was on its way.
    """
    pieces = list(Outbound.objects.select_for_update().filter(draft_id=draft_id).order_by("pk"))
    if any(piece.state != Outbound.State.QUEUED or piece.attempts for piece in pieces):
        return False
    Outbound.objects.filter(pk__in=[piece.pk for piece in pieces]).delete()
    return True
