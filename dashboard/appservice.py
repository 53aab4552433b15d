"""Where homeservers hand over what happens; see the Matrix specification, Application Service API.

Whatever is handed over is kept before it is answered, and taken in elsewhere. Anything but a 200
makes the homeserver send it again, in the same order.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.appservices import parcels
from agentapp.appservices.parcels import MAX_NAME, NotTheirs, TooMany
from agentapp.foundation.errors import NotFound

logger = logging.getLogger(__name__)

# A hundred events of 64 KiB each, written as wastefully as JSON allows, and what comes with them.
MOST_BYTES = 40_000_000
RETRY_SECONDS = 10

View = Callable[..., JsonResponse]


def _theirs(view: View) -> View:
    """Let only the homeserver in that the service was made for. No session, no cookie counts."""

    @never_cache
    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, service_id: uuid.UUID, **rest: str) -> JsonResponse:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return _error(HTTPStatus.UNAUTHORIZED, "M_MISSING_TOKEN", "Show your hs_token.")
        try:
            parcels.check_token(service_id=service_id, token=token.strip())
        except NotTheirs as error:
            return _error(HTTPStatus.FORBIDDEN, "M_FORBIDDEN", error.message)
        return view(request, service_id, **rest)

    return checked


@_theirs
@require_http_methods(["PUT"])
def transaction(request: HttpRequest, service_id: uuid.UUID, name: str) -> JsonResponse:
    """Keep what a homeserver hands over; 200 only once it is on disk."""
    content = request.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "M_TOO_LARGE", "That is too much.")
    if not _is_object(content) or len(name) > MAX_NAME or "\0" in name:
        return _error(HTTPStatus.BAD_REQUEST, "M_BAD_JSON", "This is no transaction.")
    try:
        parcels.keep(service_id=service_id, name=name, content=content)
    except TooMany as error:
        answer = _error(HTTPStatus.SERVICE_UNAVAILABLE, "M_LIMIT_EXCEEDED", error.message)
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer
    except NotFound as error:
        return _error(HTTPStatus.FORBIDDEN, "M_FORBIDDEN", error.message)
    return JsonResponse({})


@_theirs
@require_POST
def ping(request: HttpRequest, service_id: uuid.UUID) -> JsonResponse:
    """Answer that this host is there."""
    return JsonResponse({})


@_theirs
@require_GET
def unknown(request: HttpRequest, service_id: uuid.UUID, name: str) -> JsonResponse:
    """Say that there is no such user or room: nobody is made because somebody asks."""
    return _error(HTTPStatus.NOT_FOUND, "M_NOT_FOUND", "There is none of that name.")


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def _error(status: HTTPStatus, code: str, words: str) -> JsonResponse:
    return JsonResponse({"errcode": code, "error": words}, status=status)
