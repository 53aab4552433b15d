"""What people may ask for about themselves: to be forgotten, and not to be remembered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from agentapp.events import services as events
from agentapp.identity.models import Agent, Person, User
from agentapp.llm.models import LLMCall
from agentapp.memory.services.corrections import Forgotten, forget_person
from agentapp.relations.models import Relationship
from agentapp.tools.models import ToolCall
from agentapp.turns.models import Turn
from agentapp.turns.queries import OPEN

REMAINS = (
    "messages in rooms, which belong to whoever wrote them and can be deleted there",
    "copies that Discord or Matrix keep",
    "the record of decisions and costs, which names what was read by number",
    "backups, until they are replaced, for up to 30 days",
)
"""What forgetting does not reach, for receipts."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What went, per agent that had anything, and what remains.

    `relationships` counts agents that start again as strangers.
    """

    gone: tuple[tuple[Agent, Forgotten], ...]
    relationships: int
    remains: tuple[str, ...] = REMAINS


@transaction.atomic
def forget(*, person: Person, agents: Collection[Agent], by: User | None) -> Receipt:
    """Let agents start again with a person: everything they derived about them goes, for good.

    Writes: Memory, Fact, Talk, Relationship, ToolCall and LLMCall (what tools were asked and
    told, in thoughts that have ended), Event `privacy.forgotten` (numbers only).
    Repeating it changes nothing more. Without `by` the person asked in a room.
    """
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    named = {agent.pk: agent for agent in agents}
    gone = forget_person(person_id=person.pk, agent_ids=list(named))
    _blank_what_tools_told(person, named)
    relationships, _ = Relationship.objects.filter(person=person, agent__in=named).delete()
    events.record(
        type="privacy.forgotten",
        subject_kind="person",
        subject_id=person.pk,
        workspace_id=person.workspace_id,
        actor_id=by.pk if by else None,
        payload={
            "agents": sorted(named),
            "memories": sum(each.memories for each in gone),
            "relationships": relationships,
        },
    )
    return Receipt(tuple((named[each.agent_id], each) for each in gone), relationships)


def _blank_what_tools_told(person: Person, agent_ids: Collection[int]) -> None:
    """Take the words out of what was looked up and kept while this person was answered."""
    ended = Turn.objects.filter(person=person, agent__in=agent_ids).exclude(status__in=OPEN)
    ToolCall.objects.filter(turn__in=ended).update(arguments="", result="")
    LLMCall.objects.filter(turn__in=ended).exclude(tool_requests=[]).update(tool_requests=[])


@transaction.atomic
def set_never_remember(*, person: Person, on: bool, by: User | None) -> bool:
    """Have nothing about a person remembered or recalled from now on, or have it again.

    All agents of the workspace go on answering them, without memory. What is remembered already
    stays, unheard, until it is forgotten or this is taken back.
    Writes: Person, Event `privacy.never_remember`.

    Returns:
        Whether that changed anything.
    """
    changed = Person.objects.filter(pk=person.pk).exclude(never_remember=on)
    if not changed.update(never_remember=on):
        return False
    events.record(
        type="privacy.never_remember",
        subject_kind="person",
        subject_id=person.pk,
        workspace_id=person.workspace_id,
        actor_id=by.pk if by else None,
        payload={"on": on},
    )
    return True
