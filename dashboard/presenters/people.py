"""People as their agents know them: rows of a list, and one person with what is remembered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.identity import policy
from agentapp.identity.models import Agent, Identity, Person, User
from agentapp.memory.models import Fact, Memory
from agentapp.privacy import queries
from agentapp.relations.models import Relationship
from agentapp.relations.queries import bond_of
from agentapp.relations.rules import NAMES, current_trust, level
from dashboard.presenters.faces import Face, agent_face
from dashboard.presenters.messages import shortened

PAGE = 50  # people of one page
MEMORIES = 50  # of one page of a person
QUOTE_CHARACTERS = 200

KINDS = {"episode": "said", "fact": "a fact", "summary": "summary of a talk", "lesson": "learned"}


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in the list."""

    id: int
    name: str
    face: Face
    url: str
    agents: list[Face]
    remembered: int
    last_contact: datetime | None
    never_remember: bool
    is_demo: bool


@dataclass(frozen=True, slots=True)
class PeopleShown:
    """A page of people; `older` is the address of the next one."""

    rows: list[PersonRow]
    query: str
    older: str


@dataclass(frozen=True, slots=True)
class BondShown:
    """What is between one agent and the person."""

    agent: Face
    url: str
    words: str
    last_contact: datetime | None


@dataclass(frozen=True, slots=True)
class MemoryShown:
    """One thing remembered, and why.

    `source` is the message it came from, as far as the viewer may read it; `hides` says that the
    text appears after a tap, because it was said in private.
    """

    id: int
    text: str
    kind: str
    fact: str
    agent: Face
    room: str
    source: str
    source_url: str
    audience: str
    said_at: datetime
    expires_at: datetime | None
    uses: int
    hides: bool
    is_deleted: bool
    corrected_at: datetime | None


@dataclass(frozen=True, slots=True)
class HandleShown:
    """One name of a person on a platform. `may_be_set`: an owner says whether it is a bot."""

    id: int
    words: str
    is_bot: bool
    may_be_set: bool


@dataclass(frozen=True, slots=True)
class PersonShown:
    """One person."""

    id: int
    name: str
    face: Face
    never_remember: bool
    is_left_alone: bool
    handles: list[HandleShown]
    bonds: list[BondShown]
    memories: list[MemoryShown]
    remembered: int
    older: str


def show_people(user: User, *, query: str = "", before: int | None = None) -> PeopleShown:
    """Show a page of the people this user's agents know, the newest first; four queries."""
    people = queries.known_people(user)
    for word in query.split():
        people = people.filter(Q(name__icontains=word) | Q(identities__name__icontains=word))
    if before is not None:
        people = people.filter(pk__lt=before)
    found = list(people.select_related("workspace").distinct().order_by("-pk")[: PAGE + 1])
    page = found[:PAGE]
    bonds = _bonds(user, page)
    remembered = dict(
        queries.memories_of(user)
        .filter(person__in=page, deleted_at__isnull=True)
        .order_by()
        .values_list("person_id")
        .annotate(Count("pk"))
    )
    rows = [_row(one, bonds[one.pk], remembered.get(one.pk, 0)) for one in page]
    older = f"?before={page[-1].pk}&q={query}" if len(found) > PAGE else ""
    return PeopleShown(rows=rows, query=query, older=older)


def show_person(
    person: Person,
    *,
    agents: Sequence[Agent],
    viewer: User,
    now: datetime,
    before: int | None = None,
) -> PersonShown:
    """Show what these agents know of a person and why; eight queries.

    Args:
        person: Whoever it is.
        agents: Whose memories are shown; the caller has checked that the viewer may see them.
        viewer: Messages that this user may not read are not quoted.
        now: Aware UTC time.
        before: The first memory of the page after this one; None starts at the newest.
    """
    ids = [agent.pk for agent in agents]
    rows = Memory.objects.filter(person=person, agent__in=ids, withdrawn_at__isnull=True)
    page = rows if before is None else rows.filter(pk__lt=before)
    found = list(page.select_related("room__parent", "fact").order_by("-pk")[: MEMORIES + 1])
    faces = {agent.pk: agent_face(agent) for agent in agents}
    bonds = Relationship.objects.filter(person=person, agent__in=ids).order_by("agent_id")
    sources = _sources(viewer, found)
    return PersonShown(
        id=person.pk,
        name=person.name,
        face=Face(name=person.name),
        never_remember=person.never_remember,
        is_left_alone=person.stopped_at is not None,
        handles=_handles(person),
        bonds=[_bond(bond, faces[bond.agent_id], now=now) for bond in bonds],
        memories=[
            _memory(each, faces[each.agent_id], sources, now=now) for each in found[:MEMORIES]
        ],
        remembered=rows.filter(deleted_at__isnull=True).count(),
        older=f"?before={found[MEMORIES - 1].pk}" if len(found) > MEMORIES else "",
    )


def relationship_words(bond: Relationship, *, now: datetime) -> str:
    """Say what is between an agent and a person, for whoever runs the agent."""
    if bond.exchanges == 0:
        return "They have not talked yet."
    trust = current_trust(bond_of(bond), now=now)
    kind = "a difficult acquaintance" if trust <= -20 else NAMES[level(trust)]
    article = "" if kind.startswith("a ") else "an " if kind[0] in "aeiou" else "a "
    times = "once" if bond.exchanges == 1 else f"{bond.exchanges} times"
    return f"{article}{kind}, talked to {times}".capitalize()


def audience_words(memory: Memory) -> str:
    """Say where a memory may be brought up again."""
    if memory.audience == Memory.Audience.DIRECT:
        return "only in private with them"
    if memory.audience == Memory.Audience.ROOM:
        return f"in {memory.room} and in private with them"
    if memory.audience == Memory.Audience.PUBLIC:
        return "in public rooms and in private with them"
    return "anywhere"


def _row(person: Person, bonds: Sequence[Relationship], remembered: int) -> PersonRow:
    contacts = [bond.last_contact_at for bond in bonds if bond.last_contact_at]
    return PersonRow(
        id=person.pk,
        name=person.name,
        face=Face(name=person.name),
        url=reverse("person", args=[person.pk]),
        agents=[agent_face(bond.agent) for bond in bonds],
        remembered=remembered,
        last_contact=max(contacts, default=None),
        never_remember=person.never_remember,
        is_demo=person.workspace.is_demo,
    )


def _bonds(user: User, people: Sequence[Person]) -> Mapping[int, list[Relationship]]:
    found: dict[int, list[Relationship]] = defaultdict(list)
    rows: QuerySet[Relationship] = policy.visible(Relationship, user).filter(person__in=people)
    for bond in rows.select_related("agent").order_by("agent_id"):
        found[bond.person_id].append(bond)
    return found


def _handles(person: Person) -> list[HandleShown]:
    names = {"local": "web rooms"}
    bot, human = Identity.Kind.BOT, Identity.Kind.HUMAN
    return [
        HandleShown(
            id=row.pk,
            words=f"{row.name} · {names.get(row.platform, row.platform.capitalize())}",
            is_bot=row.kind == bot,
            # Who logged in here is no bot.
            may_be_set=row.kind in {bot, human} and row.user_id is None,
        )
        for row in Identity.objects.filter(person=person).order_by("pk")
    ]


def _bond(bond: Relationship, face: Face, *, now: datetime) -> BondShown:
    return BondShown(
        agent=face,
        url=reverse("agent", args=[bond.agent_id]),
        words=relationship_words(bond, now=now),
        last_contact=bond.last_contact_at,
    )


def _sources(viewer: User, memories: Sequence[Memory]) -> dict[int, Message]:
    ids = {_source_id(memory) for memory in memories}
    return policy.visible(Message, viewer).filter(deleted_at__isnull=True).in_bulk(ids)


def _source_id(memory: Memory) -> int:
    """Return the message a memory came from, the last one of several; 0 without any."""
    return memory.source_message_id or next(iter(memory.source_messages[-1:]), 0)


def _memory(
    memory: Memory, agent: Face, sources: Mapping[int, Message], *, now: datetime
) -> MemoryShown:
    source = sources.get(_source_id(memory))
    quote = shortened(source.text, QUOTE_CHARACTERS) if source else ""
    return MemoryShown(
        id=memory.pk,
        text=memory.text,
        kind=KINDS[memory.kind],
        fact=_fact_words(memory, now=now),
        agent=agent,
        room=str(memory.room) if memory.room else "",
        source="" if quote == memory.text else quote,
        source_url=f"{reverse('room', args=[source.room_id])}#message-{source.pk}"
        if source
        else "",
        audience=audience_words(memory),
        said_at=memory.created_at,
        expires_at=memory.expires_at,
        uses=memory.uses,
        hides=memory.audience == Memory.Audience.DIRECT,
        is_deleted=memory.deleted_at is not None,
        corrected_at=memory.corrected_at,
    )


def _fact_words(memory: Memory, *, now: datetime) -> str:
    fact: Fact | None = getattr(memory, "fact", None)
    if fact is None:
        return ""
    about = (
        f"Their {fact.subject}, {fact.predicate}" if fact.subject else fact.predicate.capitalize()
    )
    ended = "" if fact.status == Fact.Status.CURRENT else ", until they said otherwise"
    return f"{about}: {fact.object}{ended}"
