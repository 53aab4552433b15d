"""Errors as problem details (RFC 9457), made in one place."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from agentapp.foundation.errors import (
    AgentError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from dashboard.api.callers import TooManyCalls

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[AgentError], HTTPStatus], ...] = (
    (TooManyCalls, HTTPStatus.TOO_MANY_REQUESTS),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem(status: int, detail: str, *, code: str = "", **more: object) -> HttpResponse:
    """Return a problem document."""
    body = {
        "type": f"urn:greenroom:{code}" if code else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        **more,
    }
    return HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE)


def install(api: NinjaAPI) -> None:
    """Teach an API to answer every error as a problem."""

    @api.exception_handler(AgentError)
    def _engine(_request: HttpRequest, error: AgentError) -> HttpResponse:
        status = next((code for family, code in _STATUS if isinstance(error, family)), 400)
        return problem(status, error.message, code=error.code)

    @api.exception_handler(ValidationError)
    def _fields(_request: HttpRequest, error: ValidationError) -> HttpResponse:
        fields = [
            {"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors
        ]
        return problem(422, "Some fields cannot be used.", code="invalid_fields", fields=fields)

    @api.exception_handler(AuthenticationError)
    def _stranger(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
        answer = problem(401, "Send a token, or log in.", code="not_authenticated")
        answer["WWW-Authenticate"] = "Bearer"
        return answer

    @api.exception_handler(HttpError)
    def _http(_request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(error.status_code, str(error))

    @api.exception_handler(Http404)
    def _missing(_request: HttpRequest, _error: Http404) -> HttpResponse:
        return problem(404, (NotFound.__doc__ or "").strip(), code=NotFound.code)

    @api.exception_handler(Exception)
    def _defect(request: HttpRequest, error: Exception) -> HttpResponse:
        # The last stop before the caller, who must not see what is inside.
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return problem(500, "Something went wrong here; it was written to the log.")
