"""People as their agents know them: rows of a list, and one person with what is remembered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from agentapp.identity import policy
from agentapp.identity.models import Agent, Identity, Person, User
from agentapp.memory.models import Memory
from agentapp.privacy import queries
from agentapp.relations.models import Relationship
from agentapp.relations.queries import bond_of
from agentapp.relations.rules import NAMES, current_trust, level
from dashboard.presenters.departures import LeftShown, left_by
from dashboard.presenters.faces import Face, agent_face
from dashboard.presenters.memories import MemoryShown, show_memories

PAGE = 50  # people of one page
MEMORIES = 50  # of one page of a person


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
    left: list[LeftShown]


@dataclass(frozen=True, slots=True)
class PeopleShown:
    """A page of people; `older` is the address of the next one.

    Attributes:
        only_left: Only those who left a server are shown.
        has_left: There are some.
    """

    rows: list[PersonRow]
    query: str
    older: str
    only_left: bool = False
    has_left: bool = False


@dataclass(frozen=True, slots=True)
class BondShown:
    """What is between one agent and the person."""

    agent: Face
    url: str
    words: str
    last_contact: datetime | None


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
    left: list[LeftShown]
    handles: list[HandleShown]
    bonds: list[BondShown]
    memories: list[MemoryShown]
    remembered: int
    older: str


def show_people(
    user: User, *, query: str = "", before: int | None = None, only_left: bool = False
) -> PeopleShown:
    """Show a page of the people this user's agents know, the newest first; six queries."""
    people = queries.people_who_left(user) if only_left else queries.known_people(user)
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
    left = left_by(user, page)
    rows = [_row(one, bonds[one.pk], remembered.get(one.pk, 0), left[one.pk]) for one in page]
    older = f"?before={page[-1].pk}&q={query}" if len(found) > PAGE else ""
    return PeopleShown(
        rows=rows,
        query=query,
        older=older + ("&left=yes" if older and only_left else ""),
        only_left=only_left,
        has_left=only_left or queries.people_who_left(user).exists(),
    )


def show_person(
    person: Person,
    *,
    agents: Sequence[Agent],
    viewer: User,
    now: datetime,
    before: int | None = None,
) -> PersonShown:
    """Show what these agents know of a person and why; nine queries.

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
    return PersonShown(
        id=person.pk,
        name=person.name,
        face=Face(name=person.name),
        never_remember=person.never_remember,
        is_left_alone=person.stopped_at is not None,
        left=left_by(viewer, [person])[person.pk],
        handles=_handles(person),
        bonds=[_bond(bond, faces[bond.agent_id], now=now) for bond in bonds],
        memories=show_memories(found[:MEMORIES], faces=faces, viewer=viewer),
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


def _row(
    person: Person, bonds: Sequence[Relationship], remembered: int, left: list[LeftShown]
) -> PersonRow:
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
        left=left,
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
