"""How answers to commands go: dismissed, out of date, or forgotten with whoever asked."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from agentapp.commands.models import CommandCall
from agentapp.events.services import record
from agentapp.foundation import clock
from agentapp.foundation.errors import NotFound
from agentapp.identity.models import Person, User

REMEMBERED = timedelta(days=30)  # calls, and answers that nobody dismissed


@transaction.atomic
def forget_words(*, person: Person) -> None:
    """Let go of everything that somebody was answered before. Writes: CommandCall."""
    CommandCall.objects.filter(handle__person=person).update(
        words="", is_shown=False, token_hash=None
    )


@transaction.atomic
def expire_words() -> int:
    """Let go of words whose time is over and of calls nobody repeats any more.

    Writes: CommandCall. Returns how many.
    """
    now = clock.now()
    over = CommandCall.objects.filter(words_until__lte=now).exclude(words="")
    count = over.update(words="", token_hash=None)
    old, _ = CommandCall.objects.filter(created_at__lte=now - REMEMBERED).delete()
    return count + old


@transaction.atomic
def dismiss(*, user: User, call_id: int) -> int | None:
    """Take away an answer that its reader has seen; return the room in which it stood.

    Writes: CommandCall (the words go), Event `command.dismissed`.

    Raises:
        NotFound: It is not this user's, or it is gone already.
    """
    row = (
        CommandCall.objects.select_for_update()
        .filter(pk=call_id, handle__user=user, is_shown=True)
        .first()
    )
    if row is None:
        raise NotFound
    row.words, row.is_shown = "", False
    row.save(update_fields=["words", "is_shown"])
    record(
        type="command.dismissed",
        subject_kind="user",
        subject_id=user.pk,
        workspace_id=row.workspace_id,
        room_id=row.room_id,
        actor_id=user.pk,
        payload={"call": row.pk},
    )
    return row.room_id
