"""Uses of commands for the tests."""

from __future__ import annotations

from agentapp.commands.shapes import Call
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, approve, propose
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, Place
from agentapp.identity.models import User
from tests.cast import Cast, make_message


def call(
    cast: Cast,
    command: str,
    external_id: str = "$1",
    *,
    user: User | None = None,
    **changes: object,
) -> Call:
    """Return a command that Sam, or somebody else, typed in the lounge."""
    handle = cast.identity(user or cast.sam)
    values: dict[str, object] = {
        "workspace_id": cast.workspace.pk,
        "platform": "local",
        "place": Place(cast.lounge.external_id),
        "author": Author(handle.external_id, handle.name),
        "command": command,
        "external_id": external_id,
    }
    return Call(**values | changes)  # type: ignore[arg-type]


def proposed_answer(cast: Cast, user: User, *, text: str = "Of course.") -> Draft:
    """Have Ada propose an answer to somebody in the lounge."""
    message = make_message(cast, user, "@Ada, will you come?")
    return propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            kind="message",
            room_id=cast.lounge.pk,
            target_id=message.pk,
            person_id=message.author.person_id if message.author else None,
            text=text,
        )
    )


def approved_answer(cast: Cast, user: User) -> Draft:
    """Have its owner let such an answer go; it is due at once."""
    draft = proposed_answer(cast, user)
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    Outbound.objects.filter(draft=draft).update(not_before=clock.now())
    return draft
