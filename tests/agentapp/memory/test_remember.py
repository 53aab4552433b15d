from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import OpenTransaction
from agentapp.identity.models import Identity, Person
from agentapp.memory import indexing, services
from agentapp.memory.embeddings import EMBEDDING_DIMENSIONS, EMBEDDING_MODEL, embed, runtime
from agentapp.memory.models import Memory
from agentapp.memory.recall import Recall, recall
from tests.agentapp.memory.conftest import MakeTold
from tests.agentapp.memory.world import Builder, Tenant


def test_what_a_person_told_is_recalled_by_meaning(told: MakeTold, tenant: Tenant) -> None:
    for text in ("I live in Lisbon.", "My sister is called Ana.", "I play the cello."):
        message, turn = told(text)
        services.remember(message_id=message.pk, turn_id=turn.pk)
    (vector,) = embed(["What is the name of your sibling?"])

    found = recall(
        Recall(
            agent_id=tenant.agents[0].pk,
            person_id=tenant.people[0].pk,
            room_id=tenant.rooms[0].pk,
            vector=vector,
            limit=1,
        )
    )

    assert [each.text for each in found] == ["My sister is called Ana."]


def test_a_memory_says_where_it_came_from(told: MakeTold, tenant: Tenant) -> None:
    message, turn = told("Nice day. My exam is on Tuesday!")

    (memory_id,) = services.remember(message_id=message.pk, turn_id=turn.pk)

    memory = Memory.objects.get(pk=memory_id)
    assert memory.text == "My exam is on Tuesday!"
    assert (memory.source_message_id, memory.source_turn_id) == (message.pk, turn.pk)
    assert (memory.workspace, memory.agent, memory.person, memory.room) == (
        tenant.workspace,
        tenant.agents[0],
        tenant.people[0],
        tenant.rooms[0],
    )
    assert (memory.embedding_model, memory.embedding_dimensions) == (
        EMBEDDING_MODEL,
        EMBEDDING_DIMENSIONS,
    )
    assert memory.audience == "public"
    assert memory.tier == "mid"
    assert memory.expires_at is not None


@pytest.mark.parametrize(("place", "audience"), [(0, "public"), (2, "room"), (4, "room")])
def test_the_room_decides_the_audience(
    told: MakeTold, tenant: Tenant, place: int, audience: str
) -> None:
    message, turn = told("I have two cats.", room=tenant.rooms[place])

    services.remember(message_id=message.pk, turn_id=turn.pk)

    assert Memory.objects.get().audience == audience


def test_a_direct_room_gives_a_direct_memory(told: MakeTold, tenant: Tenant) -> None:
    room = tenant.direct[tenant.agents[0].pk, tenant.people[0].pk]
    message, turn = told("I have two cats.", room=room)

    services.remember(message_id=message.pk, turn_id=turn.pk)

    assert Memory.objects.get().audience == "direct"


def test_remembering_twice_changes_nothing(told: MakeTold) -> None:
    message, turn = told("I have two cats. I live in Rome.")
    first = services.remember(message_id=message.pk, turn_id=turn.pk)

    second = services.remember(message_id=message.pk, turn_id=turn.pk)

    assert first == second
    assert len(first) == Memory.objects.count() == 2
    assert Event.objects.filter(type="memory.remembered").count() == 1


def test_nothing_worth_keeping_writes_nothing(told: MakeTold) -> None:
    message, turn = told("What is my name?")

    assert services.remember(message_id=message.pk, turn_id=turn.pk) == []
    assert not Event.objects.filter(type__startswith="memory").exists()


def test_events_carry_ids_and_no_words(told: MakeTold) -> None:
    message, turn = told("I have two cats.")
    ids = services.remember(message_id=message.pk, turn_id=turn.pk)

    event = Event.objects.get(type="memory.remembered")

    assert event.payload == {"memories": ids, "turn": turn.pk}


def assert_not_remembered(message: Message, turn_id: int) -> None:
    assert services.remember(message_id=message.pk, turn_id=turn_id) == []
    assert not Memory.objects.exists()


def test_who_did_not_address_the_agent_is_not_remembered(told: MakeTold) -> None:
    message, turn = told("I have two cats.", addressed=False)

    assert_not_remembered(message, turn.pk)


def test_a_turn_for_one_person_remembers_nobody_else(
    told: MakeTold, builder: Builder, tenant: Tenant
) -> None:
    _, turn = told("Hello, I have a dog.")
    other = builder.message(
        tenant.rooms[0], tenant.identities[tenant.people[1].pk], "I have two cats."
    )

    assert_not_remembered(other, turn.pk)


def test_a_message_of_another_room_is_not_remembered(
    told: MakeTold, builder: Builder, tenant: Tenant
) -> None:
    _, turn = told("Hello, I have a dog.")
    elsewhere = builder.message(
        tenant.rooms[2], tenant.identities[tenant.people[0].pk], "I have two cats."
    )

    assert_not_remembered(elsewhere, turn.pk)


def test_never_remember_me_is_kept(told: MakeTold, tenant: Tenant) -> None:
    Person.objects.filter(pk=tenant.people[0].pk).update(never_remember=True)
    message, turn = told("I have two cats.")

    assert_not_remembered(message, turn.pk)


@pytest.mark.parametrize("kind", ["bot"])
def test_a_machine_is_not_remembered(told: MakeTold, tenant: Tenant, kind: str) -> None:
    Identity.objects.filter(pk=tenant.identities[tenant.people[0].pk].pk).update(kind=kind)
    message, turn = told("I have two cats.")

    assert_not_remembered(message, turn.pk)


def test_a_scripted_member_is_remembered(told: MakeTold, tenant: Tenant) -> None:
    Identity.objects.filter(pk=tenant.identities[tenant.people[0].pk].pk).update(kind="scripted")
    message, turn = told("I have two cats.")

    assert len(services.remember(message_id=message.pk, turn_id=turn.pk)) == 1


def test_a_try_out_leaves_no_memory(told: MakeTold, tenant: Tenant) -> None:
    room = tenant.rooms[0]
    room.is_tryout = True
    room.save(update_fields=["is_tryout"])
    message, turn = told("I have two cats.")

    assert_not_remembered(message, turn.pk)


def test_a_deleted_message_is_not_remembered(told: MakeTold) -> None:
    message, turn = told("I have two cats.")
    Message.objects.filter(pk=message.pk).update(deleted_at=GreenroomNow())

    assert_not_remembered(message, turn.pk)


def test_deletion_withdraws_once(told: MakeTold) -> None:
    message, turn = told("I have two cats. I live in Rome.")
    services.remember(message_id=message.pk, turn_id=turn.pk)

    counts = [services.withdraw_from_message(message_id=message.pk) for _ in range(2)]

    assert counts == [2, 0]
    assert not Memory.objects.filter(withdrawn_at__isnull=True).exists()
    assert Event.objects.get(type="memory.withdrawn").payload == {"count": 2}


def test_an_edit_replaces_what_was_remembered(told: MakeTold) -> None:
    message, turn = told("I have two cats. I live in Rome.")
    services.remember(message_id=message.pk, turn_id=turn.pk)
    Message.objects.filter(pk=message.pk).update(text="I have three cats. I live in Rome.")

    holding = services.rewrite_from_message(message_id=message.pk)

    told_now = Memory.objects.filter(withdrawn_at__isnull=True)
    assert {memory.text for memory in told_now} == {"I have three cats.", "I live in Rome."}
    assert {memory.pk for memory in told_now} == set(holding)
    assert indexing.complete_pending() == 1
    assert not told_now.filter(embedding__isnull=True).exists()


def test_an_edit_lets_an_agent_remember_what_it_could_not_before(told: MakeTold) -> None:
    message, turn = told("Well, what is my name?")
    services.remember(message_id=message.pk, turn_id=turn.pk)
    Message.objects.filter(pk=message.pk).update(text="My name is Anna.")

    assert services.rewrite_from_message(message_id=message.pk)
    assert Memory.objects.get().agent_id == turn.agent_id


@pytest.mark.parametrize("change", [{"deleted": True}, {"never": True}, {"addressed": False}])
def test_an_edit_is_no_way_around_who_may_be_remembered(
    told: MakeTold, tenant: Tenant, change: dict[str, bool]
) -> None:
    message, turn = told("I have two cats.", addressed=change.get("addressed", True))
    services.remember(message_id=message.pk, turn_id=turn.pk)
    Message.objects.filter(pk=message.pk).update(text="I have three cats.")
    if "deleted" in change:
        Message.objects.filter(pk=message.pk).update(deleted_at=GreenroomNow())
    if "never" in change:
        Person.objects.filter(pk=tenant.people[0].pk).update(never_remember=True)

    assert services.rewrite_from_message(message_id=message.pk) == []
    assert not Memory.objects.filter(withdrawn_at__isnull=True).exists()


def test_an_edit_keeps_what_is_still_said(told: MakeTold) -> None:
    message, turn = told("I have two cats. I live in Rome.")
    services.remember(message_id=message.pk, turn_id=turn.pk)
    Message.objects.filter(pk=message.pk).update(text="I have three cats. I live in Rome.")
    services.withdraw_from_message(message_id=message.pk)

    services.remember(message_id=message.pk, turn_id=turn.pk)

    held = Memory.objects.filter(withdrawn_at__isnull=True).order_by("text")
    assert [memory.text for memory in held] == ["I have three cats.", "I live in Rome."]
    assert Memory.objects.count() == 3


def test_embedding_inside_a_transaction_is_refused(told: MakeTold) -> None:
    message, turn = told("I have two cats.")

    with pytest.raises(OpenTransaction), transaction.atomic():
        services.remember(message_id=message.pk, turn_id=turn.pk)
    with pytest.raises(OpenTransaction), transaction.atomic():
        embed(["I have two cats."])

    assert not Memory.objects.exists()


@pytest.fixture
def _no_model(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not loaded the model yet and whose data folder cannot be used."""
    (tmp_path / "file").touch()
    settings.GREENROOM_DATA = tmp_path / "file"
    monkeypatch.setattr(runtime, "_runtime", None)


@pytest.mark.usefixtures("_no_model")
def test_without_a_model_the_words_are_kept_and_wait(
    told: MakeTold, caplog: pytest.LogCaptureFixture
) -> None:
    message, turn = told("I have two cats.")

    (memory_id,) = services.remember(message_id=message.pk, turn_id=turn.pk)

    memory = Memory.objects.get(pk=memory_id)
    assert memory.embedding is None
    assert (memory.embedding_model, memory.embedding_dimensions) == ("", None)
    assert "stored without vectors" in caplog.text
    assert indexing.complete_pending() == 0


def pending(builder: Builder, tenant: Tenant, **changes: object) -> Memory:
    without = {"embedding": None, "embedding_model": "", "embedding_dimensions": None}
    return builder.memory(tenant.agents[0], tenant.rooms[0], tenant.people[0], **without, **changes)


def test_waiting_memories_get_their_vectors_in_order(builder: Builder, tenant: Tenant) -> None:
    text = "My boat is green."
    waiting = [
        pending(builder, tenant, text=text, text_hash=services.text_hash(text)) for _ in range(3)
    ]

    assert [indexing.complete_pending(limit=2) for _ in range(3)] == [2, 1, 0]

    (vector,) = embed([text])
    for memory in waiting:
        memory.refresh_from_db()
        assert memory.embedding == pytest.approx(vector, abs=1e-3)
        assert memory.embedding_model == EMBEDDING_MODEL


def test_withdrawn_memories_get_no_vector(builder: Builder, tenant: Tenant) -> None:
    pending(builder, tenant, withdrawn_at=GreenroomNow())

    assert indexing.complete_pending() == 0


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_wins_the_race_leaves_no_memory(builder: Builder) -> None:
    tenant = builder.tenant("Here")
    message = builder.message(
        tenant.rooms[0], tenant.identities[tenant.people[0].pk], "I have two cats."
    )
    turn = builder.turn(tenant.agents[0], message)
    embed(["load the model now"])
    found: list[list[int]] = []

    def work() -> None:
        try:
            found.append(services.remember(message_id=message.pk, turn_id=turn.pk))
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    with transaction.atomic():
        Message.objects.select_for_update().get(pk=message.pk)
        worker.start()
        wait_until_somebody_waits_for_a_lock()
        Message.objects.filter(pk=message.pk).update(deleted_at=GreenroomNow())
        services.withdraw_from_message(message_id=message.pk)
    worker.join(timeout=30)

    assert found == [[]]
    assert not Memory.objects.exists()


def wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody came to wait")
