"""The API: its resources, what holds for all of them, and its description."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from typing_extensions import override

from agentapp.foundation.errors import AgentError
from dashboard.api import agents, drafts, messages, problems, rooms, turns
from dashboard.api.once import HEADER, MAX_KEY, once
from dashboard.api.shapes import Problem

VERSION = "1.0"
CHANGES = {"post", "put", "patch", "delete"}
DESCRIPTION = """\
Agents, their rooms, what was said, why, and what waits for approval.

Authenticate with an API key (`Authorization: Bearer grm_…`) made under Settings, or with the
session of a browser (changes then need the `X-CSRFToken` header). Every error is a problem
(RFC 9457). Lists come in pages: pass `next` as `cursor`. Send an `Idempotency-Key` with a change
to make it once however often the request is repeated; keys are kept for 24 hours."""
KEY_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
    "description": "The same key and request again get the same answer; nothing is done twice.",
}
PROBLEM_ANSWER = {
    "description": "A problem",
    "content": {problems.CONTENT_TYPE: {"schema": Problem.model_json_schema(by_alias=True)}},
}


class Api(NinjaAPI):
    """Adds to the description what every operation has: problems, and keys for changes."""

    @override
    def get_openapi_schema(self, **options: Any) -> Any:
        schema = super().get_openapi_schema(**options)
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                operation["responses"]["default"] = PROBLEM_ANSWER
                if method in CHANGES:
                    operation.setdefault("parameters", []).append(KEY_PARAMETER)
        return schema


def _build() -> Api:
    # No page of documentation: the usual ones load scripts from elsewhere.
    made = Api(title="Greenroom", version=VERSION, description=DESCRIPTION, docs_url=None)
    made.add_decorator(once, mode="view")
    for family in (AgentError, HttpError, ValidationError, Http404, DatabaseError, Exception):
        made.add_exception_handler(family, _answer)
    for resource in (agents, rooms, messages, turns, drafts):
        made.add_router("", resource.router)
    return made


def _answer(_request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    return problems.answer(error if isinstance(error, Exception) else error())


def _guarded(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = problems.with_problems(pattern.callback)
    return patterns


api = _build()
_patterns, _app_name, _namespace = api.urls

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", (_guarded(_patterns), _app_name, _namespace)),
    re_path("", problems.nothing_here),
]
