"""Any server that speaks OpenAI's chat completions. Importing this takes a second: do it late."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import openai
from typing_extensions import override

from agentapp.llm.adapters.connection import new_client, watched
from agentapp.llm.adapters.failures import (
    explained,
    malformed,
    refuse_other_formats,
    unsupported_parameter,
)
from agentapp.llm.adapters.protocol import Adapter, Chunk, Request, Target, Usage, Watch
from agentapp.llm.rules.picking import thinks_first

MAX_LISTED = 2000
MAX_NAME = 120
MAX_CLIENTS = 64  # servers and keys that a process keeps connections to
MAX_COUNT = 2**31 - 1  # what the column holds; more is nonsense
_END = object()
_NO_KEY = "-"  # the SDK insists on one; servers without keys ignore it
_OPENAI = "https://api.openai.com/"


class OpenAIAdapter(Adapter):
    """Streams answers through the `openai` SDK; retries are the gateway's."""

    @override
    def stream(self, request: Request) -> Iterator[Chunk]:
        with explained(request.target), watched(request.watch):
            stream = _opened(request)
        try:
            with explained(request.target):
                refuse_other_formats(stream.response)
            yield from _chunks(stream, request)
        finally:
            stream.close()

    def list_models(self, target: Target, watch: Watch) -> list[str]:
        """Return the names of a server's models, in its order.

        Raises:
            Failure: The server refused or does not list models.
        """
        with explained(target), watched(watch):
            page = _client(os.getpid(), target.base_url, target.key).models.list()
            rows = page.data
        if not isinstance(rows, list):
            raise malformed()
        names = (getattr(row, "id", None) for row in rows[:MAX_LISTED])
        return [name for name in names if isinstance(name, str) and 0 < len(name) <= MAX_NAME]


@lru_cache(maxsize=MAX_CLIENTS)
def _client(_process: int, base_url: str, key: str) -> openai.OpenAI:
    """Return this process's client for one server and key; sockets do not survive a fork.

    A client that is no longer kept closes its connections once the last answer under way is read.
    """
    connections = new_client()
    client = openai.OpenAI(
        api_key=key or _NO_KEY, base_url=base_url, max_retries=0, http_client=connections
    )
    weakref.finalize(client, connections.close)
    return client


def _opened(request: Request) -> openai.Stream[object]:
    """Send the request, leaving out what this server turns out not to know.

    Events come as plain objects: building the SDK's models costs more than all the rest.
    """
    client = _client(os.getpid(), request.target.base_url, request.target.key)
    while True:
        parameters = _parameters(request)
        body = {"model": request.model, "messages": _messages(request), "stream": True}
        try:
            return client.post(
                "/chat/completions",
                body=body | parameters,
                cast_to=object,
                stream=True,
                stream_cls=openai.Stream[object],
            )
        except openai.APIStatusError as error:
            unknown = unsupported_parameter(error, set(parameters))
            if unknown is None or unknown in _Dialects.unknown_to(request):
                raise
            _Dialects.note(request, unknown)


def _chunks(stream: openai.Stream[object], request: Request) -> Iterator[Chunk]:
    is_answering = False
    while True:
        with explained(request.target, is_answering=is_answering), watched(request.watch):
            part = next(stream, _END)
        if part is _END:
            return
        chunk = _chunk(part)
        is_answering = is_answering or bool(chunk.text)
        yield chunk


def _chunk(part: object) -> Chunk:
    """Read one event.

    Raises:
        Failure: It has not the shape of one.
    """
    choices = _field(part, "choices")
    if not isinstance(part, dict) or not (choices is None or isinstance(choices, list)):
        raise malformed()
    choice = choices[0] if choices else None
    text = _field(_field(choice, "delta"), "content")
    return Chunk(
        text=text if isinstance(text, str) else "",
        finish_reason=_name(_field(choice, "finish_reason")),
        model=_name(_field(part, "model")),
        usage=_usage(_field(part, "usage")),
    )


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _name(value: object) -> str:
    return value[:MAX_NAME] if isinstance(value, str) else ""


def _usage(value: object) -> Usage | None:
    tokens_in, tokens_out = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    if tokens_in is None or tokens_out is None:
        return None
    cached = _count(_field(value, "prompt_tokens_details"), "cached_tokens")
    return Usage(tokens_in, tokens_out, cached or 0)


def _count(value: object, name: str) -> int | None:
    count = _field(value, name)
    return count if isinstance(count, int) and 0 <= count <= MAX_COUNT else None


def _messages(request: Request) -> list[dict[str, str]]:
    return [{"role": str(part.role), "content": part.content} for part in request.messages]


def _parameters(request: Request) -> dict[str, Any]:
    """Return the optional parameters that this server and model understand, as far as known."""
    unknown = _Dialects.unknown_to(request)
    thinks = thinks_first(request.model)
    is_openai = request.target.base_url.startswith(_OPENAI)
    limit = "max_tokens"
    if is_openai or thinks or limit in unknown:
        limit = "max_completion_tokens"
    if limit in unknown:
        limit = "max_tokens"
    wanted: dict[str, Any] = {
        limit: request.max_tokens,
        "stream_options": {"include_usage": True},
    }
    if thinks:
        wanted["reasoning_effort"] = "low"
    else:
        wanted["temperature"] = request.temperature
    return {name: value for name, value in wanted.items() if name not in unknown or name == limit}


class _Dialects:
    """What servers were found not to understand, for the life of the process."""

    _unknown: dict[tuple[str, str], frozenset[str]] = {}
    _lock = threading.Lock()

    @classmethod
    def unknown_to(cls, request: Request) -> frozenset[str]:
        return cls._unknown.get((request.target.base_url, request.model), frozenset())

    @classmethod
    def note(cls, request: Request, parameter: str) -> None:
        place = (request.target.base_url, request.model)
        with cls._lock:
            cls._unknown[place] = cls._unknown.get(place, frozenset()) | {parameter}
