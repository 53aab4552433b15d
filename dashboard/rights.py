"""Reads for live connections, always set-based: who is logged in, and who may see what.

Plain synchronous code; `dashboard.border` calls it from the event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Account, Agent, Room, Seat, User, Workspace
from agentapp.identity.policy import visible_to_each
from agentapp.identity.sight import listed
from agentapp.turns.models import Turn
from dashboard.topics import Rights

REMEMBERED = 4_096  # sessions
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Login:
    """A valid session. `roles` changes when the user's rank anywhere does."""

    user_id: int
    roles: tuple[object, ...]


def logins(session_keys: Collection[str]) -> dict[str, Login]:
    """Return the valid logins behind session keys; what is missing is logged out. Three queries.

    Nothing is written: a socket cannot hand out a new cookie.
    """
    sessions = Session.objects.filter(
        session_key__in=listed(session_keys, "text"), expire_date__gt=GreenroomNow()
    ).values_list("session_key", "session_data")
    contents = {key: _said_by(data) for key, data in sessions}
    claimed = {user_id for user_id, _ in contents.values() if user_id is not None}
    people = list(
        User.objects.filter(is_active=True, pk__in=listed(claimed)).values_list(
            "pk", "password", "is_superuser", "is_staff"
        )
    )
    marks = {pk: _marks_of(password) for pk, password, *_ in people}
    roles = _roles({pk: flags for pk, _, *flags in people})
    return {
        key: Login(user_id=user_id, roles=roles[user_id])
        for key, (user_id, given) in contents.items()
        if user_id in marks and any(constant_time_compare(given, one) for one in marks[user_id])
    }


def rights_of(user_ids: Collection[int]) -> dict[int, Rights]:
    """Return what each user may see at this moment; who is gone is missing.

    Some fifteen queries, however many users there are. Those who see the same share their sets.
    """
    asked = listed(user_ids)
    people = User.objects.filter(is_active=True, pk__in=asked)
    admins = dict(people.values_list("pk", "is_superuser"))
    agents, rooms = visible_to_each(Agent, user_ids), visible_to_each(Room, user_ids)
    # A login belongs to an agent as a draft, a turn or a call does: whoever may read the one
    # may read the others.
    private = visible_to_each(Account, user_ids, column="agent_id")
    owned = _grouped(Agent.objects.filter(owner__in=asked).values_list("owner_id", "pk"))
    seats = Seat.objects.filter(user__in=asked)
    owns = _grouped(seats.filter(role=Seat.Role.OWNER).values_list("user_id", "workspace_id"))
    # Seats say nothing about an admin, who is at home everywhere.
    owns |= visible_to_each(Workspace, [pk for pk, is_admin in admins.items() if is_admin])
    moderates = seats.filter(role=Seat.Role.MODERATOR)
    staffs = _grouped(moderates.values_list("user_id", "workspace_id"))
    kinds: dict[tuple[frozenset[int], ...], object] = {}
    found = {}
    for pk in admins:
        sees = (
            agents.get(pk, _NONE),
            private.get(pk, _NONE),
            owned.get(pk, _NONE) & agents.get(pk, _NONE),
            rooms.get(pk, _NONE),
            owns.get(pk, _NONE),
            owns.get(pk, _NONE) | staffs.get(pk, _NONE),
        )
        found[pk] = Rights(pk, *sees, alike=kinds.setdefault(sees, object()))
    return found


def agents_of_turns(turn_ids: Collection[int]) -> dict[int, int]:
    """Return the agent of each turn that exists. One query."""
    return dict(Turn.objects.filter(pk__in=list(turn_ids)).values_list("pk", "agent_id"))


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for first, second in pairs:
        found.setdefault(first, set()).add(second)
    return {first: frozenset(seconds) for first, seconds in found.items()}


@lru_cache(maxsize=REMEMBERED)
def _said_by(session_data: str) -> tuple[int | None, str]:
    """Return whose a stored session claims to be, and the mark of the password it was made with.

    Remembered by what is stored: taking it apart is most of the work of a look at all sessions.
    """
    content: dict[str, Any] = Session(session_data=session_data).get_decoded()
    if content.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None, ""
    raw = str(content.get(SESSION_KEY, ""))
    is_number = raw.isascii() and raw.isdigit()
    return int(raw) if is_number else None, str(content.get(HASH_SESSION_KEY, ""))


@lru_cache(maxsize=REMEMBERED)
def _marks_of(password: str) -> tuple[str, ...]:
    """Return what a session carries that was made with this stored password."""
    user = User(password=password)
    return user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()


def _roles(flags: Mapping[int, Iterable[object]]) -> dict[int, tuple[object, ...]]:
    held: dict[int, list[object]] = {pk: list(own) for pk, own in flags.items()}
    seats = Seat.objects.filter(user__in=listed(held)).order_by("workspace_id", "role")
    for user_id, workspace_id, role in seats.values_list("user_id", "workspace_id", "role"):
        held[user_id].append((workspace_id, role))
    return {user_id: tuple(roles) for user_id, roles in held.items()}
