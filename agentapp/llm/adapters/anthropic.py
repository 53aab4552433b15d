"""Anthropic's own protocol. Importing this takes a second: do it late."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import anthropic
from typing_extensions import override

from agentapp.llm.adapters import dialects, fields, pictures
from agentapp.llm.adapters.connection import new_client
from agentapp.llm.adapters.failures import Sdk, explained, malformed, refuse_other_formats
from agentapp.llm.adapters.protocol import (
    Adapter,
    ChatMessage,
    Chunk,
    Request,
    Role,
    Target,
    ToolPiece,
    ToolRequest,
    Usage,
    Watch,
)
from agentapp.llm.adapters.refusals import read_refusal, unsupported_parameter
from agentapp.llm.adapters.waiting import watched

MAX_CLIENTS = 64  # servers and keys that a process keeps connections to
MAX_TEMPERATURE = 1.0
_PAGE = 1000  # models; the most that one listing gives
_END = object()
_NO_KEY = "-"  # the SDK looks for the host's own key when it gets none
_SDK = Sdk(anthropic.APIStatusError, anthropic.APIConnectionError, anthropic.APIError)
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicAdapter(Adapter):
    """Streams answers through the `anthropic` SDK; retries are the gateway's."""

    @override
    def stream(self, request: Request) -> Iterator[Chunk]:
        with explained(request.target, _SDK), watched(request.watch):
            stream = _opened(request)
        try:
            with explained(request.target, _SDK):
                refuse_other_formats(stream.response.headers)
            yield from _chunks(stream, request)
        finally:
            stream.close()

    def list_models(self, target: Target, watch: Watch) -> list[str]:
        """Return the names of the models that a key may use, in the server's order.

        Raises:
            Failure: The server refused or does not list models.
        """
        with explained(target, _SDK), watched(watch):
            client = _client(os.getpid(), _root(target.base_url), target.key)
            page = client.get("/v1/models", cast_to=object, options={"params": {"limit": _PAGE}})
        rows = fields.field(page, "data")
        if not isinstance(rows, list):
            raise malformed()
        return fields.names(rows)


def _root(base_url: str) -> str:
    """Return the address as the SDK wants it: it adds the version itself."""
    return base_url.removesuffix("/v1")


@lru_cache(maxsize=MAX_CLIENTS)
def _client(_process: int, base_url: str, key: str) -> anthropic.Anthropic:
    """Return this process's client for one server and key; sockets do not survive a fork.

    A client that is no longer kept closes its connections once the last answer under way is read.
    """
    connections = new_client()
    client = anthropic.Anthropic(
        api_key=key or _NO_KEY,
        base_url=base_url,
        max_retries=0,
        http_client=connections,
        open_telemetry=False,
    )
    weakref.finalize(client, connections.close)
    return client


def _opened(request: Request) -> anthropic.Stream[object]:
    """Send the request, leaving out what this model turns out not to know.

    Events come as plain objects: building the SDK's models costs more than all the rest.
    """
    client = _client(os.getpid(), _root(request.target.base_url), request.target.key)
    while True:
        parameters = _parameters(request)
        try:
            return client.post(
                "/v1/messages",
                body=_body(request) | parameters,
                cast_to=object,
                stream=True,
                stream_cls=anthropic.Stream[object],
            )
        except anthropic.APIStatusError as error:
            sent = set(parameters) | pictures.shown(request)
            unknown = unsupported_parameter(read_refusal(error), sent)
            if unknown is None or unknown in dialects.unknown_to(request):
                raise
            dialects.note_unknown(request, unknown)


def _body(request: Request) -> dict[str, Any]:
    system = "\n\n".join(part.content for part in request.messages if part.role is Role.SYSTEM)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": _messages(request),
        "stream": True,
    }
    return body | ({"system": system} if system else {})


def _messages(request: Request) -> list[dict[str, Any]]:
    """Return what was said, neighbours of one role as one message; results come as the user's."""
    said = [part for part in request.messages if part.role is not Role.SYSTEM]
    return [
        {"role": role, "content": _content(list(parts), request)}
        for role, parts in groupby(
            said, key=lambda part: "assistant" if part.role is Role.ASSISTANT else "user"
        )
    ]


def _content(parts: Sequence[ChatMessage], request: Request) -> str | list[dict[str, Any]]:
    if not any(part.requests or part.answers or pictures.seen(part, request) for part in parts):
        return "\n\n".join(pictures.words(part, request) for part in parts)
    return [block for part in parts for block in _blocks(part, request)]


def _blocks(part: ChatMessage, request: Request) -> Iterator[dict[str, Any]]:
    if part.answers:
        yield {"type": "tool_result", "tool_use_id": part.answers, "content": part.content}
        return
    for picture in pictures.seen(part, request):
        source = {"media_type": picture.media_type, "data": pictures.encoded(picture)}
        yield {"type": "image", "source": {"type": "base64", **source}}
    if part.content:
        yield {"type": "text", "text": pictures.words(part, request)}
    for each in part.requests:
        yield {"type": "tool_use", "id": each.id, "name": each.name, "input": _input(each)}


def _input(request: ToolRequest) -> dict[str, Any]:
    """Return what was asked of a tool; broken JSON reads as empty: its result is an error."""
    try:
        value = json.loads(request.arguments)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _tools(request: Request) -> dict[str, Any]:
    if not request.tools:
        return {}
    tools = [
        {"name": each.name, "description": each.description, "input_schema": each.parameters}
        for each in request.tools
    ]
    return {"tools": tools} | ({"tool_choice": {"type": "none"}} if request.must_talk else {})


def _parameters(request: Request) -> dict[str, Any]:
    """Return the optional parameters that this model understands, as far as known.

    Thinking is off: its tokens would come out of an answer of a few sentences.
    """
    wanted: dict[str, Any] = {
        "temperature": min(request.temperature, MAX_TEMPERATURE),
        "thinking": {"type": "disabled"},
        **_tools(request),
    }
    unknown = dialects.unknown_to(request)
    return {name: value for name, value in wanted.items() if name not in unknown}


@dataclass
class _Counts:
    """What the server has counted so far; it sends the sums of each moment."""

    tokens: dict[str, int]

    def add(self, usage: object, names: tuple[str, ...]) -> None:
        """Take over the named sums, where they are given."""
        found = {name: fields.count(usage, name) for name in names}
        self.tokens |= {name: tokens for name, tokens in found.items() if tokens is not None}

    def usage(self) -> Usage | None:
        """Return the whole count; the server's own input leaves out what it had cached."""
        if not {"input_tokens", "output_tokens"} <= set(self.tokens):
            return None
        cached = self.tokens.get("cache_read_input_tokens", 0)
        written = self.tokens.get("cache_creation_input_tokens", 0)
        tokens_in = self.tokens["input_tokens"] + written + cached
        return Usage(tokens_in, self.tokens["output_tokens"], cached)


def _chunks(stream: anthropic.Stream[object], request: Request) -> Iterator[Chunk]:
    is_answering = False
    counts = _Counts({})
    while True:
        with (
            explained(request.target, _SDK, is_answering=is_answering),
            watched(request.watch),
        ):
            part = next(stream, _END)
        if part is _END:
            return
        chunk = _chunk(part, counts)
        is_answering = is_answering or bool(chunk.text or chunk.tools)
        yield chunk


def _chunk(part: object, counts: _Counts) -> Chunk:
    """Read one event; those that say nothing of interest give an empty chunk.

    Raises:
        Failure: It has not the shape of one.
    """
    kind = fields.field(part, "type")
    if not isinstance(kind, str):
        raise malformed()
    if kind == "message_start":
        message = fields.field(part, "message")
        # Its output so far is no count of the answer, which has not begun.
        counts.add(fields.field(message, "usage"), _INPUT)
        return Chunk(model=fields.name(fields.field(message, "model")))
    if kind == "content_block_start":
        return Chunk(tools=_tool_begun(part))
    if kind == "content_block_delta":
        delta = fields.field(part, "delta")
        more = fields.text(fields.field(delta, "partial_json"))
        pieces = (ToolPiece(fields.count(part, "index") or 0, arguments=more),) if more else ()
        return Chunk(text=fields.text(fields.field(delta, "text")), tools=pieces)
    if kind == "message_delta":
        counts.add(fields.field(part, "usage"), (*_INPUT, "output_tokens"))
        reason = fields.name(fields.field(fields.field(part, "delta"), "stop_reason"))
        # Only now: a count without an end would make a broken answer look like a whole one.
        return Chunk(finish_reason=_FINISH.get(reason, reason), usage=counts.usage())
    return Chunk()


def _tool_begun(part: object) -> tuple[ToolPiece, ...]:
    block = fields.field(part, "content_block")
    if fields.field(block, "type") != "tool_use":
        return ()
    place = fields.count(part, "index") or 0
    return (ToolPiece(place, fields.name(fields.field(block, "id")), _name_of(block)),)


def _name_of(block: object) -> str:
    return fields.name(fields.field(block, "name"))
