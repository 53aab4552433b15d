"""Any server that speaks OpenAI's chat completions. Importing this takes a second: do it late.

Answers are streamed over our own connections, everything else goes through the `openai` SDK.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import httpx2
import openai
from typing_extensions import override

from agentapp.llm.adapters import dialects, fields, pictures
from agentapp.llm.adapters.connection import Transport, new_client
from agentapp.llm.adapters.events import Events
from agentapp.llm.adapters.failures import Sdk, explained, malformed, refuse_other_formats
from agentapp.llm.adapters.protocol import (
    MAX_TOOL_REQUESTS,
    Adapter,
    ChatMessage,
    Chunk,
    Failure,
    FailureKind,
    Request,
    Target,
    ToolPiece,
    Usage,
    Watch,
)
from agentapp.llm.adapters.refusals import read_refusal, unsupported_parameter
from agentapp.llm.adapters.waiting import watched
from agentapp.llm.rules.picking import thinks_first

MAX_CLIENTS = 64  # servers and keys that a process keeps connections to
_END = object()
_NO_KEY = "-"  # the SDK insists on one; servers without keys ignore it
_OPENAI = "https://api.openai.com/"
_CACHE_HITS = "prompt_cache_hit_tokens"
_RAN_OUT = "insufficient_system_resource"  # how DeepSeek ends an answer that it gave up
_SDK = Sdk(openai.APIStatusError, openai.APIConnectionError, openai.APIError)


class OpenAIAdapter(Adapter):
    """Streams answers; retries are the gateway's."""

    @override
    def stream(self, request: Request) -> Iterator[Chunk]:
        with explained(request.target, _SDK), watched(request.watch):
            client = _client(os.getpid(), request.target.base_url, request.target.key)
            events = _opened(request, client)
        try:
            with explained(request.target, _SDK):
                refuse_other_formats(events.headers)
            yield from _chunks(events, request)
        finally:
            events.close()
            del client  # which keeps its connections open until here

    def list_models(self, target: Target, watch: Watch) -> list[str]:
        """Return the names of a server's models, in its order.

        Raises:
            Failure: The server refused or does not list models.
        """
        with explained(target, _SDK), watched(watch):
            client = _client(os.getpid(), target.base_url, target.key)
            rows = fields.field(client.get("/models", cast_to=object), "data")
        if rows is None:
            return []  # an Ollama without models says so with null
        if not isinstance(rows, list):
            raise malformed()
        return fields.names(rows)

    def embed(
        self, target: Target, watch: Watch, *, model: str, dimensions: int, texts: Sequence[str]
    ) -> tuple[list[list[float]], int | None]:
        """Return one vector per text, in their order, and the tokens the server counted.

        Raises:
            Failure: The server refused, or answered something that is no vector of that size.
        """
        body = {"model": model, "input": list(texts), "dimensions": dimensions}
        with explained(target, _SDK), watched(watch):
            client = _client(os.getpid(), target.base_url, target.key)
            found = client.post("/embeddings", body=body, cast_to=object)
            rows = fields.field(found, "data")
            vectors = _vectors(rows, count=len(texts), dimensions=dimensions)
        return vectors, fields.count(fields.field(found, "usage"), "prompt_tokens")


def _vectors(rows: object, *, count: int, dimensions: int) -> list[list[float]]:
    if not isinstance(rows, list) or len(rows) != count:
        raise malformed()
    found: dict[object, list[float]] = {}
    for row in rows:
        vector = fields.field(row, "embedding")
        if not isinstance(vector, list) or len(vector) != dimensions:
            raise malformed()
        if not all(isinstance(x, (int, float)) and math.isfinite(x) for x in vector):
            raise malformed()
        found[fields.field(row, "index")] = [float(x) for x in vector]
    if set(found) != set(range(count)):
        raise malformed()
    return [found[place] for place in range(count)]


class Client(openai.OpenAI):
    """The SDK's client for one server and key, and its connections.

    A client that is no longer kept closes its connections once the last answer under way is read.
    """

    def __init__(self, *, base_url: str, key: str) -> None:
        self.transport = Transport()
        connections = new_client(self.transport)
        super().__init__(api_key=key, base_url=base_url, max_retries=0, http_client=connections)
        self.answers_at = httpx2.URL(base_url.rstrip("/") + "/chat/completions")
        self.headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": self.user_agent,
        }
        weakref.finalize(self, connections.close)


@lru_cache(maxsize=MAX_CLIENTS)
def _client(_process: int, base_url: str, key: str) -> Client:
    """Return this process's client for one server and key; sockets do not survive a fork."""
    return Client(base_url=base_url, key=key or _NO_KEY)


def _opened(request: Request, client: Client) -> Events:
    """Send the request, leaving out what this server turns out not to know."""
    while True:
        parameters = _parameters(request)
        body = {"model": request.model, "messages": _messages(request), "stream": True}
        try:
            return Events(
                client.transport, client.answers_at, headers=client.headers, body=body | parameters
            )
        except openai.APIStatusError as error:
            sent = set(parameters) | pictures.shown(request)
            unknown = unsupported_parameter(read_refusal(error), sent)
            if unknown is None or unknown in dialects.unknown_to(request):
                raise
            dialects.note_unknown(request, unknown)


def _chunks(events: Events, request: Request) -> Iterator[Chunk]:
    is_answering = False
    while True:
        with explained(request.target, _SDK, is_answering=is_answering), watched(request.watch):
            part = next(events, _END)
        if part is _END:
            return
        chunk = _chunk(part)
        is_answering = is_answering or bool(chunk.text or chunk.tools)
        yield chunk


def _chunk(part: object) -> Chunk:
    """Read one event.

    Raises:
        Failure: It has not the shape of one.
    """
    choices = fields.field(part, "choices")
    if not isinstance(part, dict) or not (choices is None or isinstance(choices, list)):
        raise malformed()
    choice = choices[0] if choices else None
    finish_reason = fields.name(fields.field(choice, "finish_reason"))
    if finish_reason == _RAN_OUT:
        raise Failure(
            "The model server ran out of room in the middle of its answer.",
            kind=FailureKind.SERVER,
            may_be_billed=True,
        )
    return Chunk(
        text=fields.text(fields.field(fields.field(choice, "delta"), "content")),
        finish_reason=finish_reason,
        model=fields.name(part.get("model")),
        usage=_usage(part.get("usage")),
        tools=_tool_pieces(fields.field(fields.field(choice, "delta"), "tool_calls")),
    )


def _tool_pieces(value: object) -> tuple[ToolPiece, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        ToolPiece(
            # Servers that send each request whole may leave its place out.
            place=fields.count(each, "index") or 0,
            id=fields.name(fields.field(each, "id")),
            name=fields.name(fields.field(fields.field(each, "function"), "name")),
            arguments=fields.text(fields.field(fields.field(each, "function"), "arguments")),
        )
        for each in value[:MAX_TOOL_REQUESTS]
    )


def _usage(value: object) -> Usage | None:
    tokens_in = fields.count(value, "prompt_tokens")
    tokens_out = fields.count(value, "completion_tokens")
    if tokens_in is None or tokens_out is None:
        return None
    details = fields.field(value, "prompt_tokens_details")
    # DeepSeek counts what it had seen beside the details, and not in them.
    cached = fields.count(details, "cached_tokens") or fields.count(value, _CACHE_HITS)
    return Usage(tokens_in, tokens_out, cached or 0)


def _messages(request: Request) -> list[dict[str, Any]]:
    return [_message(part, request) for part in request.messages]


def _message(part: ChatMessage, request: Request) -> dict[str, Any]:
    message: dict[str, Any] = {"role": str(part.role), "content": _content(part, request)}
    if part.answers:
        message["tool_call_id"] = part.answers
    if part.requests:
        message["tool_calls"] = [
            {
                "id": each.id,
                "type": "function",
                "function": {"name": each.name, "arguments": each.arguments},
            }
            for each in part.requests
        ]
    return message


def _content(part: ChatMessage, request: Request) -> str | list[dict[str, Any]]:
    words = pictures.words(part, request)
    shown = pictures.seen(part, request)
    if not shown:
        return words
    images = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{each.media_type};base64,{pictures.encoded(each)}"},
        }
        for each in shown
    ]
    return [{"type": "text", "text": words}, *images]


def _tools(request: Request) -> dict[str, Any]:
    if not request.tools:
        return {}
    tools = [
        {
            "type": "function",
            "function": {
                "name": each.name,
                "description": each.description,
                "parameters": each.parameters,
            },
        }
        for each in request.tools
    ]
    return {"tools": tools} | ({"tool_choice": "none"} if request.must_talk else {})


def _parameters(request: Request) -> dict[str, Any]:
    """Return the optional parameters that this server and model understand, as far as known."""
    unknown = dialects.unknown_to(request)
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
    if "tools" not in unknown:
        wanted |= _tools(request)
    return {name: value for name, value in wanted.items() if name not in unknown or name == limit}
