"""`Idempotency-Key`: a change asked for twice happens once and is answered twice.

The answer is kept with a hash of the request. A request whose process died is tried again after
`ABANDONED_SECONDS`; what it had done by then is guarded by the change's own conditions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from django.http import HttpRequest, HttpResponse

from agentapp.events.models import IdempotencyRecord
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.secrets import digest
from dashboard.api.problems import CONTENT_TYPE, problem

PREFIX = "/api/"
CHANGES = {"POST", "PATCH", "PUT", "DELETE"}
HEADER = "Idempotency-Key"
MAX_KEY = 128  # characters
ABANDONED_SECONDS = 60  # no change over the API calls a model or a platform; each takes a moment


class Idempotency:
    """Middleware that stands between a changing API request and its repetition."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a repeated request as the first time; run every other one."""
        key = request.headers.get(HEADER, "")
        who = _caller(request)
        if not key or not who or request.method not in CHANGES:
            return self._get_response(request)
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        if len(key) > MAX_KEY or not key.isprintable():
            return problem(422, f"{HEADER} has at most {MAX_KEY} printable characters.")
        return self._once(request, who=who, key=key)

    def _once(self, request: HttpRequest, *, who: str, key: str) -> HttpResponse:
        fingerprint = _fingerprint(request)
        record, is_new = IdempotencyRecord.objects.get_or_create(
            caller=who, key=key, defaults={"request_hash": fingerprint}
        )
        if not is_new:
            if record.request_hash != fingerprint:
                return problem(
                    422, f"This {HEADER} was used for another request.", code="key_reused"
                )
            if record.status is not None:
                return _replay(record)
            if not _take_over(record):
                return problem(409, "The same request is running right now.", code="still_running")
        return self._run(request, record)

    def _run(self, request: HttpRequest, record: IdempotencyRecord) -> HttpResponse:
        try:
            response = self._get_response(request)
        except BaseException:
            record.delete()
            raise
        if response.status_code >= 500 or response.status_code in {401, 429}:
            record.delete()  # nothing was decided, so trying again is right
            return response
        body = response.content.decode()
        IdempotencyRecord.objects.filter(pk=record.pk).update(
            status=response.status_code, body=json.loads(body) if body else None
        )
        return response


def _caller(request: HttpRequest) -> str:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if token:
        return f"token:{digest(token)[:64]}"
    return f"user:{request.user.pk}" if request.user.is_authenticated else ""


def _fingerprint(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _take_over(record: IdempotencyRecord) -> bool:
    """Claim an abandoned record by a conditional update; one of several callers wins."""
    return bool(
        IdempotencyRecord.objects.filter(
            pk=record.pk,
            status__isnull=True,
            created_at__lt=GreenroomNow() - timedelta(seconds=ABANDONED_SECONDS),
        ).update(created_at=GreenroomNow())
    )


def _replay(record: IdempotencyRecord) -> HttpResponse:
    status = record.status or 200
    answer = HttpResponse(
        json.dumps(record.body) if record.body is not None else b"",
        status=status,
        content_type=CONTENT_TYPE if status >= 400 else "application/json",
    )
    answer["Idempotent-Replayed"] = "true"
    return answer
