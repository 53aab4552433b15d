"""Links that open private words once: for platforms where nobody can be told something alone."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from agentapp.commands.models import CommandCall
from agentapp.events.services import record
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import NotFound
from agentapp.foundation.secrets import digest

OPENS_WITHIN = timedelta(minutes=10)
TOKEN_BYTES = 32


class LinkSpent(NotFound):
    """This link was opened before, or its ten minutes are over. Ask again in the room."""


def hand_over(row: CommandCall) -> str:
    """Put the words of a locked call behind a link; return what is said in the room."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row.token_hash = digest(token)
    row.words_until = GreenroomNow() + OPENS_WITHIN
    return (
        f"The answer is private: {settings.PUBLIC_URL}/answer/{token}/ opens it, once, within "
        "ten minutes. In a direct chat I answer at once."
    )


def is_open(token: str) -> bool:
    """Say whether a link still opens; looking changes nothing."""
    return CommandCall.objects.filter(
        token_hash=digest(token), words_until__gt=GreenroomNow()
    ).exists()


@transaction.atomic
def open_once(token: str) -> str:
    """Return the words behind a link, and spend it.

    Writes: CommandCall (the words go), Event `command.opened`.

    Raises:
        LinkSpent: There is no such link any more.
    """
    row = (
        CommandCall.objects.select_for_update()
        .filter(token_hash=digest(token), words_until__gt=GreenroomNow())
        .first()
    )
    if row is None:
        raise LinkSpent
    words, row.words, row.token_hash = row.words, "", None
    row.save(update_fields=["words", "token_hash"])
    record(
        type="command.opened",
        subject_kind="command",
        subject_id=row.pk,
        workspace_id=row.workspace_id,
        room_id=row.room_id,
    )
    return words
