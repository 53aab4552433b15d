"""Reads across slices: who is known to whose agents."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from agentapp.identity import policy
from agentapp.identity.models import Agent, Identity, Person, Stay, User
from agentapp.memory.models import Memory
from agentapp.presence.models import Membership
from agentapp.relations.models import Relationship


def known_people(user: User) -> QuerySet[Person]:
    """Return the people whom this user's agents have talked to or remember.

    An owner sees a person through their own agents only, never through somebody else's.
    """
    met = policy.visible(Relationship, user).filter(person=OuterRef("pk"))
    remembered = memories_of(user).filter(person=OuterRef("pk"))
    return policy.visible(Person, user).filter(Exists(met) | Exists(remembered))


def people_who_left(user: User) -> QuerySet[Person]:
    """Return those of `known_people` who have left a server, as far as this user may know."""
    left = departures(user).filter(identity__person=OuterRef("pk"))
    return known_people(user).filter(Exists(left))


def departures(user: User) -> QuerySet[Stay]:
    """Return who left which server, of those servers in which this user's agents were in a room."""
    seen = left_where(policy.visible(Membership, user))
    return seen.filter(pk__in=policy.visible(Stay, user))


def left_where(memberships: QuerySet[Membership]) -> QuerySet[Stay]:
    """Return who left which of the servers that these memberships are or were in."""
    inside = memberships.filter(
        room__workspace=OuterRef("identity__workspace"),
        room__platform=OuterRef("identity__platform"),
        room__group_id=OuterRef("group_id"),
    )
    return Stay.objects.filter(Exists(inside), left_at__isnull=False)


def memories_of(user: User) -> QuerySet[Memory]:
    """Return what this user's agents remember of anybody; what lost its source is left out."""
    return policy.visible(Memory, user).filter(person__isnull=False, withdrawn_at__isnull=True)


def agents_that_know(user: User, person: Person) -> QuerySet[Agent]:
    """Return the user's agents of the person's workspace that met or remember the person."""
    known = agents_knowing(person).filter(pk__in=policy.visible(Agent, user))
    return known if user.is_superuser else known.filter(owner=user)


def agents_knowing(person: Person) -> QuerySet[Agent]:
    """Return all agents that met or remember a person, for that person's own eyes."""
    met = Relationship.objects.filter(agent=OuterRef("pk"), person=person)
    remembered = Memory.objects.filter(agent=OuterRef("pk"), person=person)
    own = Agent.objects.filter(workspace_id=person.workspace_id)
    return own.filter(Exists(met) | Exists(remembered)).order_by("pk")


def person_behind(user: User, *, workspace_id: int) -> Person | None:
    """Return who this user is in the rooms of a workspace, or None before they said anything."""
    handle = (
        Identity.objects.filter(user=user, workspace_id=workspace_id, person__isnull=False)
        .select_related("person")
        .order_by("pk")
        .first()
    )
    return handle.person if handle else None
