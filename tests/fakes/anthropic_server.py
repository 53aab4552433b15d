"""A model server that speaks Anthropic's own protocol, with its own ways to fail.

It behaves as `ModelServer` does (`Behaviour`, the ledger) and differs on the wire only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from tests.fakes.model_server import (
    Behaviour,
    ModelServer,
    Seen,
    _Handler,
    prompt_tokens,
    tokens_of,
)

KEY = "sk-ant-test-0123456789abcdefghij"
MODELS = ("claude-sonnet-5", "claude-haiku-5-5")
CODES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicServer(ModelServer):
    """`cached` and `written` are the parts of every prompt that it says it had or put in store."""

    cached = 0
    written = 0

    def __init__(self, *, key: str = KEY, models: tuple[str, ...] = MODELS, port: int = 0) -> None:
        super().__init__(key=key, models=models, port=port)
        self._server.RequestHandlerClass = _AnthropicHandler

    @property
    @override
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    @override
    def completions(self) -> list[Seen]:
        with self._lock:
            return [seen for seen in self.requests if seen.path == "/v1/messages"]


class _AnthropicHandler(_Handler):
    completions_path = "/v1/messages"
    models_path = "/v1/models?limit=1000"

    @override
    def _model_rows(self) -> dict[str, Any]:
        rows = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01"}
            for name in self.server.owner.models
        ]
        return {"data": rows, "has_more": False, "first_id": None, "last_id": None}

    @override
    def _may_enter(self) -> bool:
        if self.headers.get("anthropic-version") is None:
            self._error(400, "", "anthropic-version: header is required")
            return False
        if self._key() != self.server.owner.key:
            self._error(401, "", f"invalid API key: {self._key()}")
            return False
        return True

    @override
    def _prompt_tokens(self, body: dict[str, Any]) -> int:
        system = [{"content": body["system"]}] if "system" in body else []
        said = [
            {"content": part["content"] if isinstance(part["content"], str) else "a few blocks"}
            for part in body["messages"]
        ]
        return prompt_tokens(system + said)

    @override
    def _stream(self, seen: Seen, how: Behaviour) -> None:
        if "max_tokens" not in seen.body or seen.body["messages"][0]["role"] != "user":
            seen.tokens_in = 0
            self._error(400, "", "messages: the first message must be from the user")
            return
        super()._stream(seen, how)

    @override
    def _events(self, seen: Seen, how: Behaviour) -> Iterator[bytes]:
        model = how.served_model or seen.body["model"]
        usage = {**self._counted(seen), "output_tokens": 1}
        message: dict[str, object] = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": model,
            "stop_reason": None,
            "usage": usage,
        }
        yield _event("message_start", message=message)
        pieces, finish = self._pieces(seen, how)
        if how.asks:
            pieces, finish = [], "tool_use"
        for place, (name, arguments) in enumerate(how.asks, start=1):
            seen.tokens_out += tokens_of(arguments)
            yield from _asking(place, name, arguments)
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield _event("ping")
        for piece in pieces:
            seen.tokens_out += tokens_of(piece)
            delta = {"type": "text_delta", "text": piece}
            yield _event("content_block_delta", index=0, delta=delta)
            if not self._wait(how.gap):
                return
        yield _event("content_block_stop", index=0)
        if how.with_finish:
            reason = {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish)
            yield _event(
                "message_delta",
                delta={"stop_reason": reason, "stop_sequence": None},
                usage={"output_tokens": seen.tokens_out} if how.with_usage else {},
            )
            yield _event("message_stop")

    def _counted(self, seen: Seen) -> dict[str, int]:
        owner = self.server.owner
        assert isinstance(owner, AnthropicServer)
        return {
            "input_tokens": seen.tokens_in - owner.cached - owner.written,
            "cache_creation_input_tokens": owner.written,
            "cache_read_input_tokens": owner.cached,
        }

    @override
    def _frame(self, event: bytes) -> bytes:
        kind: str = json.loads(event)["type"]
        return b"event: " + kind.encode() + b"\ndata: " + event + b"\n\n"

    @override
    def _error(
        self, status: int, code: str, message: str, retry_after: str | None = None, param: str = ""
    ) -> None:
        kind = CODES.get(status, "api_error")
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
        self._json(status, body, retry_after)


def _event(kind: str, **members: object) -> bytes:
    return json.dumps({"type": kind, **members}).encode()


def _asking(place: int, name: str, arguments: str) -> Iterator[bytes]:
    block = {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": {}}
    yield _event("content_block_start", index=place, content_block=block)
    for at in range(0, len(arguments), 7):
        delta = {"type": "input_json_delta", "partial_json": arguments[at : at + 7]}
        yield _event("content_block_delta", index=place, delta=delta)
    yield _event("content_block_stop", index=place)
