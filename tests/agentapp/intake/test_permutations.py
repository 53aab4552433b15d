"""Changes of one message in any order, with repetitions, through the door and the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentapp.conversation.models import Message, Reaction
from agentapp.foundation.envelope import Incoming, IncomingDelete, IncomingEdit, IncomingReaction
from agentapp.intake import services as intake
from agentapp.intake.models import Lane
from agentapp.memory.models import Memory
from tests.agentapp.intake.said import deletion, edit, in_room, incoming, reaction
from tests.cast import Cast

START = datetime(2026, 1, 1, tzinfo=UTC)
numbers = count()


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def take_in(change: object) -> None:
    if isinstance(change, Incoming):
        intake.accept(change)
    elif isinstance(change, IncomingEdit):
        intake.accept_edit(change)
    elif isinstance(change, IncomingDelete):
        intake.accept_delete(change)
    elif isinstance(change, IncomingReaction):
        intake.accept_reaction(change)


def renamed(change: object, external_id: str) -> object:
    field = "message_external_id" if isinstance(change, IncomingReaction) else "external_id"
    return replace(change, **{field: external_id})


def state_of(external_id: str) -> tuple[object, ...]:
    message = Message.objects.get(external_id=external_id)
    reactions = Reaction.objects.filter(message=message).order_by("emoji")
    return (
        message.is_known,
        message.text,
        bytes(message.raw) if message.raw is not None else None,
        message.edited_at,
        message.deleted_at,
        message.author_id,
        [(each.emoji, each.is_present, each.changed_at) for each in reactions],
    )


def changes_of(cast: Cast) -> list[object]:
    return [
        incoming(cast, "First.", sent_at=at(0)),
        edit(cast, "Second.", changed_at=at(1)),
        edit(cast, "Third.", changed_at=at(2)),
        reaction(cast, "❤️", changed_at=at(3)),
        reaction(cast, "❤️", present=False, changed_at=at(4)),
        reaction(cast, "👍", changed_at=at(4)),
        deletion(cast, changed_at=at(5)),
        deletion(cast, changed_at=at(6)),
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_ends_in_the_same_state(cast: Cast, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(range(8)), min_size=1, max_size=8, unique=True))
    order = data.draw(st.permutations([*chosen, *chosen[:3]]))
    everything = changes_of(cast)
    told, retold = f"${next(numbers)}", f"${next(numbers)}"
    for index in sorted(chosen):
        take_in(renamed(everything[index], told))
    for index in order:
        take_in(renamed(everything[index], retold))
    assert state_of(retold) == state_of(told)


def test_a_deleted_message_keeps_no_words_in_the_database(cast: Cast) -> None:
    intake.accept(incoming(cast, "My secret."))
    intake.accept_delete(deletion(cast))
    message = Message.objects.get()
    assert (message.text, message.raw) == ("", None)
    intake.accept_edit(edit(cast, "My secret again."))
    message.refresh_from_db()
    assert (message.text, message.raw) == ("", None)


def test_a_message_that_was_deleted_before_it_came_wakes_nobody(cast: Cast) -> None:
    where = in_room(cast.lounge)
    intake.accept_delete(deletion(cast, **where))
    intake.accept(incoming(cast, "Too late.", **where))
    assert not Lane.objects.exists()
    assert Message.objects.get().text == ""


def _remembered(cast: Cast, message_id: int) -> Memory:
    person = Message.objects.get(pk=message_id).author.person
    return Memory.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        person=person,
        audience="direct",
        text="Sam likes tea.",
        text_hash="x",
        source_message_id=message_id,
    )


def test_an_edit_withdraws_what_was_remembered_of_the_old_words(cast: Cast) -> None:
    accepted = intake.accept(incoming(cast, "I like tea."))
    memory = _remembered(cast, accepted.message_id)
    intake.accept_edit(edit(cast, "I like coffee."))
    memory.refresh_from_db()
    assert memory.withdrawn_at is not None


def test_a_deletion_withdraws_what_was_remembered(cast: Cast) -> None:
    accepted = intake.accept(incoming(cast, "I like tea."))
    memory = _remembered(cast, accepted.message_id)
    intake.accept_delete(deletion(cast))
    memory.refresh_from_db()
    assert memory.withdrawn_at is not None


def test_an_edit_older_than_the_last_one_withdraws_nothing(cast: Cast) -> None:
    accepted = intake.accept(incoming(cast, "I like tea."))
    intake.accept_edit(edit(cast, "I like coffee.", changed_at=at(5)))
    memory = _remembered(cast, accepted.message_id)
    intake.accept_edit(edit(cast, "I like milk.", changed_at=at(4)))
    memory.refresh_from_db()
    assert memory.withdrawn_at is None
