"""Reads what servers say when they refuse, in each of the shapes in which they say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import httpx2

from agentapp.llm.rules.retrying import parsed_retry_after

_ABOUT_LENGTH = ("too large", "too long", "maximum context")


class StatusError(Protocol):
    """What both SDKs' errors of a status look like."""

    message: str
    status_code: int
    response: httpx2.Response
    body: object | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's no.

    Attributes:
        code: Its name for the reason, in small letters; "" when it has none.
        said: Its own words, not yet fit to be shown.
        param: The parameter it complains about, where it says so.
        was_streaming: It had accepted the request and broke off inside the answer.
    """

    status: int
    code: str = ""
    said: str = ""
    param: str = ""
    retry_after: float | None = None
    was_streaming: bool = False

    @property
    def lowered(self) -> str:
        """Return its words in small letters, to look something up in them."""
        return self.said.lower()


def read_refusal(error: StatusError) -> Refusal:
    """Read an SDK's error of a status, whatever its body looks like.

    Known shapes: {"error": {"message", "code" or "type", "param"}}, the same without the outer
    object, {"error": "text"}, {"detail": ...} and no JSON at all; codes may be numbers.
    """
    body = error.body
    inner = _member(body, "error")
    detail = inner if isinstance(inner, dict) else body
    said = _first_text(_member(detail, "message"), inner, body, _member(body, "detail"))
    code = _member(detail, "code") or _member(detail, "type") or ""
    param = _member(detail, "param")
    return Refusal(
        status=error.status_code,
        code=str(code).lower(),
        said=said or error.message,
        param=param if isinstance(param, str) else "",
        retry_after=parsed_retry_after(error.response.headers.get("retry-after")),
        was_streaming=error.status_code == 200,
    )


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _first_text(*values: object) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")


def unsupported_parameter(refusal: Refusal, sent: set[str]) -> str | None:
    """Return which parameter of ours a server does not know, when it says so."""
    if refusal.status not in {400, 422}:
        return None
    if refusal.param in sent:
        return refusal.param
    if any(words in refusal.lowered for words in _ABOUT_LENGTH):
        return None
    return next((name for name in sorted(sent) if name in refusal.lowered), None)
