from __future__ import annotations

from agentapp.events.models import Event
from agentapp.identity.models import User
from agentapp.notifications.models import Notification
from agentapp.notifications.services import mark_read, notify
from tests.cast import Cast


def tell(cast: Cast, user: User, subject_id: int = 1) -> None:
    notify(
        user_id=user.pk,
        workspace_id=cast.workspace.pk,
        kind="draft.pending",
        subject_kind="draft",
        subject_id=subject_id,
        text="Ada wants to send something private.",
    )


def events(kind: str) -> list[Event]:
    return list(Event.objects.filter(type=f"notification.{kind}"))


def test_a_note_is_left_once_and_its_event_has_none_of_its_words(cast: Cast) -> None:
    for _ in range(2):
        tell(cast, cast.root)

    note = Notification.objects.get()
    (event,) = events("made")
    assert (event.subject_kind, event.subject_id) == ("user", str(cast.root.pk))
    assert event.payload == {"note": note.pk, "kind": "draft.pending"}


def test_notes_of_several_users_and_things_stand_side_by_side(cast: Cast) -> None:
    tell(cast, cast.root)
    tell(cast, cast.sam)
    tell(cast, cast.root, subject_id=2)

    assert Notification.objects.count() == len(events("made")) == 3


def test_reading_marks_ones_own_notes_and_says_so_once(cast: Cast) -> None:
    tell(cast, cast.root)
    tell(cast, cast.sam)

    assert [mark_read(user=cast.root) for _ in range(2)] == [1, 0]

    assert Notification.objects.get(user=cast.sam).read_at is None
    (event,) = events("read")
    assert event.subject_id == str(cast.root.pk)


def test_only_the_named_notes_are_marked(cast: Cast) -> None:
    tell(cast, cast.root)
    tell(cast, cast.root, subject_id=2)
    tell(cast, cast.sam)
    first, theirs = Notification.objects.get(user=cast.root, subject_id=1), cast.sam

    assert mark_read(user=theirs, ids=[first.pk]) == 0
    assert mark_read(user=cast.root, ids=[first.pk]) == 1
    assert Notification.objects.filter(read_at__isnull=True).count() == 2
