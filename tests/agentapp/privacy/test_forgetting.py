"""People are forgotten and left out as they wish, and the trail holds numbers only."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict, Invalid
from agentapp.identity.models import Agent, Person, Seat, User
from agentapp.llm.models import LLMCall
from agentapp.memory import queries
from agentapp.memory import services as memory
from agentapp.memory.models import Fact, Memory, Talk
from agentapp.memory.services import corrections
from agentapp.memory.services.talks import claim_talk, open_talks
from agentapp.privacy import queries as known
from agentapp.privacy.export import export_person
from agentapp.privacy.services import REMAINS, forget, set_never_remember
from agentapp.relations.models import Relationship
from agentapp.tools.models import ToolCall
from agentapp.turns.models import Turn
from tests.agentapp.memory.world import Builder, Tenant


@pytest.fixture
def builder() -> Builder:
    return Builder()


@pytest.fixture
def tenant(db: None, builder: Builder) -> Tenant:
    found = builder.tenant("Here")
    Seat.objects.create(user=owner_of(found), workspace=found.workspace, role=Seat.Role.OWNER)
    return found


def owner_of(tenant: Tenant) -> User:
    return tenant.agents[0].owner


def told(builder: Builder, tenant: Tenant, text: str, agent: Agent | None = None) -> Message:
    """Have the first person tell an agent something that it remembers."""
    message = builder.message(tenant.rooms[0], tenant.identities[tenant.people[0].pk], text)
    turn = builder.turn(agent or tenant.agents[0], message)
    memory.remember(message_id=message.pk, turn_id=turn.pk)
    Relationship.objects.get_or_create(
        workspace=tenant.workspace,
        agent=turn.agent,
        person=tenant.people[0],
        defaults={"exchanges": 1},
    )
    return message


def test_forgetting_takes_everything_these_agents_derived_and_says_what_remains(
    builder: Builder, tenant: Tenant
) -> None:
    ana, other = tenant.people[:2]
    first, second = tenant.agents
    told(builder, tenant, "I have two cats. I live in Rome.")
    told(builder, tenant, "I play the cello.", second)
    kept = builder.memory(first, tenant.rooms[0], other)
    summary = builder.memory(first, tenant.rooms[0], ana, kind="summary")
    Fact.objects.create(
        workspace=tenant.workspace, memory=summary, author=ana, predicate="home",
        object="Rome", confidence=1, valid_from=clock.now(),
    )  # fmt: skip

    receipt = forget(person=ana, agents=[first], by=owner_of(tenant))

    ((agent, gone),) = receipt.gone
    assert (agent, gone.memories, gone.summaries, gone.facts) == (first, 3, 1, 1)
    assert receipt.relationships == 1
    assert receipt.remains == REMAINS
    assert set(Memory.objects.filter(agent=first)) == {kept}
    assert Memory.objects.get(agent=second).text == "I play the cello."
    assert not Relationship.objects.filter(agent=first, person=ana).exists()
    assert not Fact.objects.exists()


def test_what_was_forgotten_does_not_come_back(builder: Builder, tenant: Tenant) -> None:
    message = told(builder, tenant, "I have two cats.")
    forget(person=tenant.people[0], agents=tenant.agents, by=owner_of(tenant))
    turn = Turn.objects.get()

    assert memory.remember(message_id=message.pk, turn_id=turn.pk) == []
    Message.objects.filter(pk=message.pk).update(text="I have three cats.")
    assert memory.rewrite_from_message(message_id=message.pk) == []
    open_talks()
    Talk.objects.update(heard_at=clock.now() - timedelta(days=1))
    assert claim_talk() is None
    assert not Memory.objects.exists()


def test_what_is_said_afterwards_is_remembered(builder: Builder, tenant: Tenant) -> None:
    told(builder, tenant, "I have two cats.")
    forget(person=tenant.people[0], agents=tenant.agents, by=owner_of(tenant))

    told(builder, tenant, "I live in Turin.")

    assert Memory.objects.get().text == "I live in Turin."


def test_forgetting_twice_finds_nothing_more(builder: Builder, tenant: Tenant) -> None:
    told(builder, tenant, "I have two cats.")
    forget(person=tenant.people[0], agents=tenant.agents, by=owner_of(tenant))

    again = forget(person=tenant.people[0], agents=tenant.agents, by=owner_of(tenant))

    assert (again.gone, again.relationships) == ((), 0)


def test_the_trail_of_wishes_holds_numbers_only(builder: Builder, tenant: Tenant) -> None:
    told(builder, tenant, "I have two cats.")
    ana = tenant.people[0]
    forget(person=ana, agents=tenant.agents[:1], by=owner_of(tenant))
    set_never_remember(person=ana, on=True, by=owner_of(tenant))

    events = Event.objects.filter(type__startswith="privacy.").order_by("id")

    assert [(event.subject_kind, event.subject_id) for event in events] == [
        ("person", str(ana.pk))
    ] * 2
    assert [event.payload for event in events] == [
        {"agents": [tenant.agents[0].pk], "memories": 1, "relationships": 1},
        {"on": True},
    ]
    assert ana.name not in json.dumps([event.payload for event in events])


def test_never_remember_can_be_taken_back(builder: Builder, tenant: Tenant) -> None:
    ana = tenant.people[0]
    told(builder, tenant, "I have two cats.")
    assert set_never_remember(person=ana, on=True, by=owner_of(tenant))
    told(builder, tenant, "I live in Turin.")
    assert Memory.objects.count() == 1
    assert heard(tenant) == []

    assert set_never_remember(person=ana, on=False, by=owner_of(tenant))
    assert not set_never_remember(person=ana, on=False, by=owner_of(tenant))

    assert heard(tenant) == ["I have two cats."]


def heard(tenant: Tenant) -> list[str]:
    (found,) = queries.list_heard(
        [
            queries.Listening(
                agent_id=tenant.agents[0].pk,
                person_id=tenant.people[0].pk,
                room_id=tenant.rooms[0].pk,
                vector=None,
                words=["cats", "dogs"],
                limit=10,
            )
        ]
    )
    return [each.text for each in found]


def test_a_correction_is_heard_instead_and_keeps_its_source(
    builder: Builder, tenant: Tenant
) -> None:
    message = told(builder, tenant, "I have two cats.")
    row = Memory.objects.get()
    Fact.objects.create(
        workspace=tenant.workspace, memory=row, author=tenant.people[0], predicate="pet",
        object="two cats", confidence=1, valid_from=clock.now(),
    )  # fmt: skip

    corrections.correct_memory(memory=row, text="I have two\x00 dogs.", by=owner_of(tenant))

    row.refresh_from_db()
    assert (row.text, row.source_message_id) == ("I have two dogs.", message.pk)
    assert (row.corrected_by, row.embedding) == (owner_of(tenant), None)
    assert heard(tenant) == ["I have two dogs."]
    fact = Fact.objects.get()
    assert (fact.object, fact.source) == ("I have two dogs.", "corrected")
    memory.remember(message_id=message.pk, turn_id=row.source_turn_id or 0)
    assert Memory.objects.count() == 1, "the mistake is not remembered a second time"


@pytest.mark.parametrize("text", ["", " \x00\u200b ", "x" * 1_001])
def test_a_correction_says_something(builder: Builder, tenant: Tenant, text: str) -> None:
    told(builder, tenant, "I have two cats.")

    with pytest.raises(Invalid):
        corrections.correct_memory(memory=Memory.objects.get(), text=text, by=owner_of(tenant))


def test_a_deletion_is_undone_unless_its_source_went_meanwhile(
    builder: Builder, tenant: Tenant
) -> None:
    message = told(builder, tenant, "I have two cats.")
    row = Memory.objects.get()
    corrections.delete_memory(memory=row, by=owner_of(tenant))
    assert heard(tenant) == []
    with pytest.raises(Conflict):
        corrections.correct_memory(memory=row, text="No.", by=owner_of(tenant))

    corrections.restore_memory(memory=row, by=owner_of(tenant))
    assert heard(tenant) == ["I have two cats."]

    corrections.delete_memory(memory=row, by=owner_of(tenant))
    memory.withdraw_from_message(message_id=message.pk)
    corrections.restore_memory(memory=row, by=owner_of(tenant))
    assert heard(tenant) == []


def test_what_an_owner_deleted_is_not_remembered_again(builder: Builder, tenant: Tenant) -> None:
    message = told(builder, tenant, "I have two cats.")
    row = Memory.objects.get()
    corrections.delete_memory(memory=row, by=owner_of(tenant))

    memory.remember(message_id=message.pk, turn_id=row.source_turn_id or 0)
    memory.rewrite_from_message(message_id=message.pk)

    assert heard(tenant) == []


def test_an_owner_knows_people_through_own_agents_only(builder: Builder, tenant: Tenant) -> None:
    told(builder, tenant, "I have two cats.")
    ana = tenant.people[0]
    rival = User.objects.create_user(username="rival")
    Seat.objects.create(user=rival, workspace=tenant.workspace, role=Seat.Role.OWNER)
    theirs = builder.agent(tenant.workspace, rival, "Rival's")
    told(builder, tenant, "I live in Rome.", theirs)

    assert list(known.known_people(owner_of(tenant))) == [ana]
    assert [m.text for m in known.memories_of(owner_of(tenant))] == ["I have two cats."]
    assert list(known.agents_that_know(owner_of(tenant), ana)) == [tenant.agents[0]]
    assert list(known.agents_that_know(rival, ana)) == [theirs]
    assert not known.known_people(User.objects.create_user(username="stranger")).exists()


def test_the_export_holds_what_is_remembered_and_why(builder: Builder, tenant: Tenant) -> None:
    message = told(builder, tenant, "I have two cats. I live in Rome.")
    corrections.delete_memory(memory=Memory.objects.order_by("id")[0], by=owner_of(tenant))
    ana = Person.objects.get(pk=tenant.people[0].pk)

    found = json.loads(json.dumps(export_person(person=ana, agents=tenant.agents)))

    (only,) = found["memories"]
    assert (only["text"], only["messages"]) == ("I live in Rome.", [message.pk])
    assert (only["agent"], only["audience"]) == (tenant.agents[0].name, "public")
    assert found["relationships"][0]["exchanges"] == 1
    assert found["person"]["handles"][0]["platform"] == "local"


def test_forgetting_blanks_what_tools_were_asked_and_told(builder: Builder, tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    message = told(builder, tenant, "I teach chemistry in Graz.")
    turn = Turn.objects.get(agent=agent, trigger_id=message.pk)
    open_turn = builder.turn(
        agent, builder.message(tenant.rooms[0], tenant.identities[person.pk], "And now?")
    )
    Turn.objects.filter(pk=turn.pk).update(status=Turn.Status.DONE)
    Turn.objects.filter(pk=open_turn.pk).update(status=Turn.Status.RUNNING)
    asked = {"id": "1", "name": "recall", "arguments": '{"about": "Graz"}'}
    for n, each in enumerate((turn, open_turn)):
        ToolCall.objects.create(
            workspace=tenant.workspace,
            turn=each,
            step=1,
            ordinal=0,
            name="recall",
            arguments=asked["arguments"],
            status="done",
            result="I teach chemistry in Graz.",
        )
        LLMCall.objects.create(
            workspace=tenant.workspace,
            turn=each,
            model="m",
            purpose="reply",
            key=f"k{n}",
            tool_requests=[asked],
        )
    forget(person=person, agents=[agent], by=owner_of(tenant))
    ended, running = ToolCall.objects.order_by("turn_id")
    assert (ended.arguments, ended.result, ended.name) == ("", "", "recall")
    assert LLMCall.objects.get(turn=turn).tool_requests == []
    assert "Graz" in running.result
    assert LLMCall.objects.get(turn=open_turn).tool_requests == [asked]
