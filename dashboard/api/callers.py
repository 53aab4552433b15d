"""Who calls: a logged-in session (with the CSRF check) or a scoped token."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import redis
from django.core.cache import cache
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from typing_extensions import override

from agentapp.foundation import broker
from agentapp.foundation.errors import Refused
from agentapp.identity.models import User
from agentapp.identity.services.tokens import token_user

CALLS_A_MINUTE = 300  # per token


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"
    WRITE = "write"
    APPROVE = "approve"
    ADMIN = "admin"


class MissingScope(Refused):
    """This token may not be used for that."""

    code = "missing_scope"


class TooManyCalls(Refused):
    """Too many calls with this token. Wait a minute."""

    code = "too_many_calls"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and what this way of calling lets them do."""

    user: User
    scopes: frozenset[str]


class SessionCaller(APIKeyCookie):
    """Whoever is logged in; changes need the CSRF token."""

    param_name = "sessionid"

    @override
    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        user = request.user
        if not isinstance(user, User) or not user.is_active:
            return None
        return Caller(user, frozenset(Scope))


class TokenCaller(HttpBearer):
    """A token made under Settings, sent as `Authorization: Bearer …`."""

    @override
    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        row = token_user(token=token)
        if row is None:
            return None
        _count(str(row.pk))
        return Caller(row.user, frozenset(row.scopes))


def caller(request: HttpRequest, scope: Scope) -> User:
    """Return who calls, if that way of calling may be used for this.

    Raises:
        MissingScope: The token lacks the scope.
    """
    who: Caller = request.auth  # type: ignore[attr-defined]  # set by ninja
    if scope not in who.scopes and Scope.ADMIN not in who.scopes:
        raise MissingScope(f"This token lacks the scope {scope.value!r}.")
    return who.user


def _count(token_id: str) -> None:
    calls = 0
    if not broker.is_resting():
        try:
            calls = _counted_together(f"api:{token_id}")
        except redis.RedisError:
            broker.rest()
    if not calls:
        calls = _HERE.count(token_id)
    if calls > CALLS_A_MINUTE:
        raise TooManyCalls


def _counted_together(key: str) -> int:
    """Count a call in the cache that all processes share."""
    cache.add(key, 0, timeout=60)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two
        return 1


class _Here:
    """Counts for this process alone, for as long as the shared cache does not answer."""

    def __init__(self) -> None:
        self._minute = 0
        self._calls: Counter[str] = Counter()

    def count(self, token_id: str) -> int:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._calls = minute, Counter()
        self._calls[token_id] += 1
        return self._calls[token_id]


_HERE = _Here()
