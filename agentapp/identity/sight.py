"""Which rooms each of many users sees: `policy.visible` once more, for thousands at once.

The rule in `policy` asks once per user, and what that costs depends on what the database knows of
its tables; here each grant is one read for all of them. A test holds the two together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models.expressions import RawSQL

from agentapp.foundation.prepared import array
from agentapp.identity.models import Agent, Participant, Room, Seat, User

Sets = dict[int, set[int]]
Seats = dict[int, dict[int, set[str]]]


def rooms_of_each(user_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """Return the rooms that each active user sees, by user id; equal sets may be shared.

    At most seven queries, however many users and rooms there are.
    """
    users = User.objects.filter(pk__in=listed(user_ids), is_active=True)
    ranks = {pk: flags for pk, *flags in users.values_list("pk", "is_superuser", "is_guest")}
    seats = _seats(ranks)
    entered = _entered(seats)
    public, moderated = _by_workspace(seats)
    own = _of_own_agents(ranks, seats)
    admins = any(is_admin for is_admin, _ in ranks.values())
    every = frozenset(Room.objects.values_list("pk", flat=True)) if admins else frozenset()
    shared: dict[tuple[frozenset[int], frozenset[int]], frozenset[int]] = {}
    found = {}
    for pk, (is_admin, is_guest) in ranks.items():
        # A guest's link leads into one room, not into the workspace.
        open_to = frozenset() if is_guest else frozenset(seats.get(pk, ()))
        watches = frozenset(w for w, roles in seats.get(pk, {}).items() if _MODERATES in roles)
        if (open_to, watches) not in shared:
            sets = [*(public[w] for w in open_to), *(moderated[w] for w in watches)]
            shared[open_to, watches] = frozenset().union(*sets)
        base, more = shared[open_to, watches], entered[pk] | own[pk]
        seen = base if more <= base else base | more
        found[pk] = every if is_admin else seen
    return found


def listed(values: Iterable[Any], kind: str = "bigint") -> RawSQL:
    """Return values for `__in` as one parameter, which is cheap for thousands of them."""
    return RawSQL(f"SELECT unnest(%s::{kind}[])", [array(values, kind)])  # noqa: S611  (our own kind)


_MODERATES, _OWNS = str(Seat.Role.MODERATOR), str(Seat.Role.OWNER)


def _seats(user_ids: Iterable[int]) -> Seats:
    """Return the roles of each user in each workspace."""
    held: Seats = defaultdict(lambda: defaultdict(set))
    seats = Seat.objects.filter(user__in=listed(user_ids))
    for user_id, workspace_id, role in seats.values_list("user_id", "workspace_id", "role"):
        held[user_id][workspace_id].add(role)
    return held


def _entered(seats: Seats) -> Sets:
    """Where each user is and holds a seat."""
    here = Participant.objects.filter(identity__user__in=listed(seats), left_at__isnull=True)
    return _grouped(
        (user_id, room_id)
        for user_id, room_id, workspace_id in here.values_list(
            "identity__user", "room", "room__workspace"
        )
        if workspace_id in seats[user_id]
    )


def _by_workspace(seats: Seats) -> tuple[Sets, Sets]:
    """Return the public rooms of each workspace, and those that its moderators see."""
    public, moderated = defaultdict(set), defaultdict(set)
    rooms = Room.objects.filter(workspace__in=listed({w for held in seats.values() for w in held}))
    for pk, workspace_id, visibility, kind in rooms.values_list(
        "pk", "workspace_id", "visibility", "kind"
    ):
        if visibility == Room.Visibility.PUBLIC:
            public[workspace_id].add(pk)
        # Direct rooms stay between the person, the agent and its owner.
        if kind != Room.Kind.DIRECT:
            moderated[workspace_id].add(pk)
    return public, moderated


def _of_own_agents(user_ids: Iterable[int], seats: Seats) -> Sets:
    """Return the rooms where an agent is that the user owns, with an owner's seat."""
    agents = Agent.objects.filter(owner__in=listed(user_ids))
    owner_of = {
        pk: owner_id
        for pk, owner_id, workspace_id in agents.values_list("pk", "owner_id", "workspace_id")
        if _OWNS in seats.get(owner_id, {}).get(workspace_id, ())
    }
    there = Room.objects.filter(
        memberships__agent__in=listed(owner_of), memberships__left_at__isnull=True
    )
    return _grouped(
        (owner_of[agent_id], pk) for agent_id, pk in there.values_list("memberships__agent", "pk")
    )


def _grouped(pairs: Iterable[tuple[int, int]]) -> Sets:
    found: Sets = defaultdict(set)
    for first, second in pairs:
        found[first].add(second)
    return found
