"""`Idempotency-Key`: a change that is asked for twice is made once and answered the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import TypeVar

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.errors import HttpError

from agentapp.events import idempotency
from agentapp.events.idempotency import Answer, Claim
from agentapp.foundation.errors import AgentError, Invalid
from dashboard.api import problems
from dashboard.api.callers import Caller, identify

Run = Callable[..., HttpResponseBase]
F = TypeVar("F", bound=Callable[..., object])

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_KEY = 128  # characters
SAFE = {"GET", "HEAD", "OPTIONS"}
_APART = "_greenroom_commits_by_itself"


def commits_by_itself(view: F) -> F:
    """Mark a view whose change must be committed before it is done, so that others see it."""
    setattr(view, _APART, True)
    return view


def once(run: Run) -> Run:
    """Wrap the running of an operation: same key and request, same answer."""
    view = getattr(getattr(run, "__self__", None), "view_func", None)
    in_one_transaction = not getattr(view, _APART, False)

    @wraps(run)
    def wrapped(request: HttpRequest, **kwargs: object) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        caller = _caller(request) if key is not None and request.method not in SAFE else None
        if key is None or caller is None:
            return run(request, **kwargs)
        try:
            held = _claim(request, caller, key)
            if isinstance(held, Answer):
                return _again(held)
            if in_one_transaction:
                return _change(held, lambda: run(request, **kwargs))
            return _keep_after(held, run(request, **kwargs))
        except (AgentError, DatabaseError) as error:
            return problems.answer(error)

    return wrapped


def _claim(request: HttpRequest, caller: Caller, key: str) -> Claim | Answer:
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(f"An {HEADER} is 1 to {MAX_KEY} printable characters.")
    parts = [request.method or "", request.get_full_path(), ""]
    digest = hashlib.sha256("\n".join(parts).encode() + request.body)
    return idempotency.claim(caller=caller.ref, key=key, request_hash=digest.hexdigest())


def _change(held: Claim, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Make the change and keep its answer in one transaction; a refusal gives the key back."""
    with transaction.atomic():
        response = run()
        if _is_answer(response):
            _keep(held, response)
        else:
            transaction.set_rollback(True)
    if not _is_answer(response):
        idempotency.release(held=held)
    return response


def _keep_after(held: Claim, response: HttpResponseBase) -> HttpResponseBase:
    if _is_answer(response):
        _keep(held, response)
    else:
        idempotency.release(held=held)
    return response


def _keep(held: Claim, response: HttpResponseBase) -> None:
    content = response.content if isinstance(response, HttpResponse) else b""
    body = json.loads(content) if content else None
    idempotency.keep(held=held, status=response.status_code, body=body)


def _again(kept: Answer) -> HttpResponse:
    content = b"" if kept.body is None else json.dumps(kept.body).encode()
    return HttpResponse(
        content,
        status=kept.status,
        content_type="application/json; charset=utf-8",
        headers={REPLAYED: "true"},
    )


def _is_answer(response: HttpResponseBase) -> bool:
    return response.status_code < HTTPStatus.BAD_REQUEST


def _caller(request: HttpRequest) -> Caller | None:
    """Return who asks; None when the operation's own checks are about to refuse it."""
    try:
        return identify(request)
    except (AgentError, HttpError, DatabaseError):
        return None
