"""Reads for live connections, always set-based: who is logged in, and who may see what.

Plain synchronous code; `dashboard.border` calls it from the event loop.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Account, Agent, Room, Seat, User, Workspace
from agentapp.identity.policy import visible
from agentapp.turns.models import Turn
from dashboard.topics import Rights


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
        session_key__in=list(session_keys), expire_date__gt=GreenroomNow()
    )
    contents = {session.session_key: session.get_decoded() for session in sessions}
    user_ids = {key: _user_id(content) for key, content in contents.items()}
    users = User.objects.filter(is_active=True).in_bulk(
        {user_id for user_id in user_ids.values() if user_id is not None}
    )
    roles = _roles(users)
    return {
        key: Login(user_id=user.pk, roles=roles[user.pk])
        for key, content in contents.items()
        if (user := users.get(user_ids[key] or 0)) is not None and _is_signed_by(user, content)
    }


def rights_of(user_ids: Collection[int]) -> dict[int, Rights]:
    """Return what each user may see at this moment. Four queries per user, one for all."""
    return {user.pk: _rights(user) for user in User.objects.filter(pk__in=list(user_ids))}


def agents_of_turns(turn_ids: Collection[int]) -> dict[int, int]:
    """Return the agent of each turn that exists. One query."""
    return dict(Turn.objects.filter(pk__in=list(turn_ids)).values_list("pk", "agent_id"))


def _rights(user: User) -> Rights:
    agents = dict(visible(Agent, user).values_list("pk", "owner_id"))
    seats: dict[str, set[int]] = {}
    for workspace_id, role in Seat.objects.filter(user=user).values_list("workspace_id", "role"):
        seats.setdefault(role, set()).add(workspace_id)
    owns = seats.get(Seat.Role.OWNER, set())
    if user.is_superuser:
        owns = set(visible(Workspace, user).values_list("pk", flat=True))
    return Rights(
        user_id=user.pk,
        agents=frozenset(agents),
        # A login belongs to an agent as a draft, a turn or a call does: whoever may read the one
        # may read the others.
        private=frozenset(visible(Account, user).values_list("agent_id", flat=True)),
        owned=frozenset(pk for pk, owner_id in agents.items() if owner_id == user.pk),
        rooms=frozenset(visible(Room, user).values_list("pk", flat=True)),
        owns=frozenset(owns),
        staffs=frozenset(owns | seats.get(Seat.Role.MODERATOR, set())),
    )


def _user_id(content: dict[str, object]) -> int | None:
    if content.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    raw = str(content.get(SESSION_KEY, ""))
    return int(raw) if raw.isascii() and raw.isdigit() else None


def _is_signed_by(user: User, content: dict[str, object]) -> bool:
    """Say whether the session was made with the user's present password."""
    given = str(content.get(HASH_SESSION_KEY, ""))
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(given, known) for known in hashes)


def _roles(users: dict[int, User]) -> dict[int, tuple[object, ...]]:
    held: dict[int, list[object]] = {
        user.pk: [user.is_superuser, user.is_staff] for user in users.values()
    }
    seats = Seat.objects.filter(user_id__in=list(users)).order_by("workspace_id", "role")
    for user_id, workspace_id, role in seats.values_list("user_id", "workspace_id", "role"):
        held[user_id].append((workspace_id, role))
    return {user_id: tuple(roles) for user_id, roles in held.items()}
