"""Files of messages whose sender tells of them later than the platform does."""

from __future__ import annotations

import uuid

import pytest

from agentapp.conversation.models import Attachment
from agentapp.files.models import StoredFile
from agentapp.files.services import examine, store
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, IncomingFile, Place
from agentapp.identity.models import Room
from agentapp.intake import fetching
from agentapp.intake import services as intake
from tests.cast import Cast


@pytest.fixture
def attic(cast: Cast) -> Room:
    return Room.objects.create(
        workspace=cast.workspace, platform="matrix", external_id="!attic", kind=Room.Kind.ROOM
    )


def shown(cast: Cast, file: IncomingFile) -> Attachment:
    accepted = intake.accept(
        Incoming(
            workspace_id=cast.workspace.pk,
            platform="matrix",
            place=Place("!attic"),
            external_id="$one",
            author=Author("@ada:here", "Ada", AuthorKind.AGENT),
            text="",
            files=(file,),
        )
    )
    return Attachment.objects.get(message=accepted.message_id)


@pytest.mark.parametrize("is_fetched", [False, True])
def test_an_own_file_that_was_shown_first_is_kept_once(
    cast: Cast, attic: Room, *, is_fetched: bool
) -> None:
    looked = examine("a.txt", b"words", most=100)
    stored = store(looked, room=attic)
    row = shown(cast, IncomingFile("a.txt", source="mxc://here/a"))
    if is_fetched:
        Attachment.objects.update(holder="me")
        wanted = fetching.Wanted(row.pk, "me", uuid.uuid4(), "mxc://here/a", 100)
        assert fetching.keep(wanted, content=b"words")
    row = shown(cast, IncomingFile("a.txt", stored=stored.pk))
    assert (row.state, row.file_id) == ("kept", stored.pk)
    assert StoredFile.objects.count() == 1
    row = shown(cast, IncomingFile("a.txt", source="mxc://here/a"))  # and the echo once more
    assert (row.state, row.file_id) == ("kept", stored.pk)
