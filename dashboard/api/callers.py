"""Who asks the API: a browser's session, or an API key with its scopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf
from typing_extensions import override

from agentapp.foundation.errors import Refused
from agentapp.identity import rules
from agentapp.identity.models import User
from agentapp.identity.services import token_user
from dashboard.api import limits
from dashboard.api.problems import NotLoggedIn

_KNOWN = "_greenroom_caller"


class WithoutScope(Refused):
    """This API key does not have the scope that this needs."""

    code = "missing_scope"


class NotFromOurPage(Refused):
    """A session's request needs the CSRF token of our own pages (header X-CSRFToken)."""

    code = "csrf_failed"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user at the API. `ref` names the key or the session's user for limits and repetitions."""

    user: User
    scopes: frozenset[str]
    ref: str


class ByToken(HttpBearer):
    """An API key in the `Authorization` header."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    @override
    def __call__(self, request: HttpRequest) -> Caller | None:
        if "Authorization" not in request.headers:
            return None
        caller = identify(request)
        if caller is None:
            raise NotLoggedIn("This API key is unknown, revoked or has expired.")
        return self.authenticate(request, "")

    @override
    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        return _admitted(request, self.scope)


class BySession(APIKeyCookie):
    """A logged-in browser; what changes something carries the CSRF token as well."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__()

    @override
    def __call__(self, request: HttpRequest) -> Caller | None:
        return self.authenticate(request, None)

    @override
    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        if identify(request) is None:
            raise NotLoggedIn
        return _admitted(request, self.scope)


def needs(scope: str) -> list[ByToken | BySession]:
    """Let in a session, or a key that has this scope."""
    if scope not in rules.SCOPES:
        raise ValueError(scope)
    return [ByToken(scope), BySession(scope)]


def identify(request: HttpRequest) -> Caller | None:
    """Find out who asks, once per request; None for strangers and for keys that open nothing.

    A request with an `Authorization` header is judged by it alone, whatever cookies it carries.

    Raises:
        NotFromOurPage: A session's change came without its CSRF token.
    """
    if not hasattr(request, _KNOWN):
        by_key = "Authorization" in request.headers
        setattr(request, _KNOWN, _by_key(request) if by_key else _by_session(request))
    return cast("Caller | None", getattr(request, _KNOWN))


def user_of(request: HttpRequest) -> User:
    """Return the user of a request that was let in."""
    caller = identify(request)
    if caller is None:
        raise NotLoggedIn
    return caller.user


def _admitted(request: HttpRequest, scope: str) -> Caller | None:
    caller = identify(request)
    if caller is not None:
        limits.count(caller.ref)
        if scope not in caller.scopes:
            raise WithoutScope(f"This API key does not have the scope {scope!r}.")
    return caller


def _by_key(request: HttpRequest) -> Caller | None:
    scheme, _, text = request.headers["Authorization"].partition(" ")
    key = token_user(token=text.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        return None
    return Caller(user=key.user, scopes=frozenset(key.scopes), ref=f"key:{key.pk}")


def _by_session(request: HttpRequest) -> Caller | None:
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    if check_csrf(request) is not None:
        raise NotFromOurPage
    return Caller(user=user, scopes=frozenset(rules.SCOPES), ref=f"user:{user.pk}")
