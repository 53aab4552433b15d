"""Every error of the API in one form: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja.errors import HttpError, ValidationError

from agentapp.foundation.errors import (
    AgentError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_FAMILIES: tuple[tuple[type[AgentError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class TooManyRequests(AgentError):
    """Too many requests. Wait a moment."""

    code = "too_many_requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class NotLoggedIn(AgentError):
    """Send a session's cookie or an API key as a bearer token."""

    code = "not_authenticated"


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> HttpResponse:
    """Return one problem; `code` is stable for programs, `detail` is for people."""
    reason = HTTPStatus(status)
    body = {
        "type": "about:blank",
        "title": reason.phrase,
        "status": reason.value,
        "detail": detail,
        "code": code or reason.name.lower(),
        **more,
    }
    return HttpResponse(
        json.dumps(body), status=reason.value, content_type=CONTENT_TYPE, headers=headers
    )


def answer(error: Exception) -> HttpResponse:
    """Turn any error into its problem; what nobody expected is logged and says nothing more."""
    if isinstance(error, AgentError):
        return _ours(error)
    if isinstance(error, ValidationError):
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The request does not fit its description.",
            code="invalid",
            errors=[_field(each) for each in error.errors],
        )
    if isinstance(error, HttpError):
        return problem(error.status_code, error.message)
    return _djangos(error)


def nothing_here(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """Answer for an address that the API does not have."""
    return answer(NotFound("The API has no such address."))


nothing_here = csrf_exempt(nothing_here)


def with_problems(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Give a wrong method its problem too, with the methods that would work."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        allowed = {"Allow": response["Allow"]}
        return problem(
            HTTPStatus.METHOD_NOT_ALLOWED, "This address answers other methods.", headers=allowed
        )

    return wrapped


def _ours(error: AgentError) -> HttpResponse:
    if isinstance(error, NotLoggedIn):
        headers = {"WWW-Authenticate": 'Bearer realm="Greenroom"'}
        return problem(HTTPStatus.UNAUTHORIZED, error.message, code=error.code, headers=headers)
    if isinstance(error, TooManyRequests):
        headers = {"Retry-After": str(error.retry_after)}
        return problem(
            HTTPStatus.TOO_MANY_REQUESTS, error.message, code=error.code, headers=headers
        )
    status = next((code for family, code in _FAMILIES if isinstance(error, family)), None)
    if status is None:
        return _unexpected(error)
    return problem(status, error.message, code=error.code)


def _djangos(error: Exception) -> HttpResponse:
    if isinstance(error, Http404):
        return _ours(NotFound())
    if isinstance(error, RequestDataTooBig):
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request's body is too large.")
    if isinstance(error, SuspiciousOperation):
        return problem(HTTPStatus.BAD_REQUEST, "The request cannot be used.")
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.warning("the database does not answer: %s", type(error).__name__)
        return _ours(Unavailable("The database does not answer at the moment."))
    return _unexpected(error)


def _unexpected(error: Exception) -> HttpResponse:
    logger.error("unexpected error in the API", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It has been noted."
    )


def _field(found: Mapping[str, object]) -> dict[str, object]:
    """Say where and what, without repeating what was sent."""
    where = found.get("loc", ())
    path = [str(part) for part in where] if isinstance(where, (list, tuple)) else []
    return {"where": ".".join(path), "detail": str(found.get("msg", ""))}
