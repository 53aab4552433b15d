"""An OpenAI-compatible model server on loopback that counts what it bills and fails on demand.

    with ModelServer() as server:
        server.behave(Behaviour(status=429, retry_after="1"))   # the next request only
        server.always(Behaviour(gap=0.05))                      # all others
        ...
        server.billed_tokens()

`python -m tests.fakes.model_server --port 9009` runs one by hand.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from typing_extensions import override

from tests.pace import allowed

KEY = "sk-test-0123456789abcdefghij"
MODELS = ("fake-chat", "fake-cheap", "fake-embedding")
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. The default is a normal streamed answer.

    Attributes:
        latency: Seconds before anything is sent.
        gap: Seconds between tokens.
        text: What to say; None asks the server's `reply` function.
        status: Anything but 200 is answered with an OpenAI-style error.
        cut_after: Break the connection after so many tokens.
        drip: Send the body byte by byte, `drip` seconds apart.
        hang: Accept the request and never answer.
        raw: Send exactly this as the body of a 200.
        unknown: Refuse requests that carry one of these parameters.
        asks: Tools that it asks for instead of talking: (name, arguments as JSON) each.
    """

    latency: float = 0.0
    gap: float = 0.0
    text: str | None = None
    status: int = 200
    code: str = ""
    message: str = ""
    retry_after: str | None = None
    with_usage: bool = True
    with_finish: bool = True
    finish_reason: str = "stop"
    served_model: str = ""
    cut_after: int | None = None
    drip: float = 0.0
    hang: bool = False
    raw: bytes | None = None
    content_type: str = "text/event-stream"
    unknown: tuple[str, ...] = ()
    reset: bool = False
    ignores_limit: bool = False
    asks: tuple[tuple[str, str], ...] = ()


@dataclass
class Seen:
    """One request as it arrived, and what it was billed."""

    path: str
    body: dict[str, Any]
    key: str
    headers: dict[str, str]
    client: tuple[str, int] = ("", 0)
    at: float = field(default_factory=time.monotonic)
    tokens_in: int = 0
    tokens_out: int = 0
    was_cut_by_client: bool = False
    ended_at: float = 0.0


def tokens_of(text: str) -> int:
    """Count as this server bills: one token for each word."""
    return len(text.split())


def prompt_tokens(messages: list[dict[str, str]]) -> int:
    return sum(tokens_of(part["content"]) + 3 for part in messages)


class ModelServer:
    """A real HTTP server in a thread, with its own ledger."""

    def __init__(self, *, key: str = KEY, models: tuple[str, ...] = MODELS, port: int = 0) -> None:
        self.key = key
        self.models = models
        self.program = ""  # "Ollama" or "vLLM": how it shows what it is
        self.reply: Callable[[dict[str, Any]], str] = lambda body: "You said something kind."
        self.requests: list[Seen] = []
        self._next: deque[Behaviour] = deque()
        self._usual = Behaviour()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = _Server((HOST, port), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def behave(self, behaviour: Behaviour, *, times: int = 1) -> None:
        """Answer the next `times` completions so; behaviours queue up."""
        with self._lock:
            self._next.extend([behaviour] * times)

    def always(self, behaviour: Behaviour) -> None:
        """Answer every completion so that no queued behaviour is for."""
        with self._lock:
            self._usual = behaviour

    def completions(self) -> list[Seen]:
        with self._lock:
            return [seen for seen in self.requests if seen.path.endswith("/chat/completions")]

    def billed_tokens(self) -> tuple[int, int]:
        """Return (tokens in, tokens out) of everything this server would send a bill for."""
        seen = self.completions()
        return sum(one.tokens_in for one in seen), sum(one.tokens_out for one in seen)

    def wait_for_requests(self, count: int, *, seconds: float = 10) -> None:
        until = time.monotonic() + allowed(seconds)
        while len(self.completions()) < count:
            if time.monotonic() > until:
                raise AssertionError(f"{len(self.completions())} requests instead of {count}")
            time.sleep(0.01)

    def wait_until_answered(self, *, seconds: float = 10) -> None:
        """Wait until no request is being answered any more, so that the ledger is final."""
        until = time.monotonic() + allowed(seconds)
        while any(not seen.ended_at for seen in self.completions()):
            if time.monotonic() > until:
                raise AssertionError("the server is still answering")
            time.sleep(0.01)

    def _take(self) -> Behaviour:
        with self._lock:
            return self._next.popleft() if self._next else self._usual


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: ModelServer

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of this server break connections on purpose; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    completions_path = "/v1/chat/completions"
    embeddings_path = "/v1/embeddings"
    models_path = "/v1/models"

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        owner = self.server.owner
        self._note({})
        if self.path == "/api/version" and owner.program == "Ollama":
            self._json(200, {"version": "0.12.6"})
            return
        if not self._may_enter():
            return
        if self.path != self.models_path:
            self._error(404, "not_found", "Unknown path")
            return
        self._json(200, self._model_rows())

    def _model_rows(self) -> dict[str, Any]:
        owner = self.server.owner
        by = {"Ollama": "library", "vLLM": "vllm"}.get(owner.program, "x")
        rows = [
            {"id": name, "object": "model", "created": 0, "owned_by": by} for name in owner.models
        ]
        return {"object": "list", "data": rows}

    def do_POST(self) -> None:
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = self._note(body)
        try:
            if self.path == self.embeddings_path and self._may_enter():
                self._embed(seen)
            elif self.path != self.completions_path:
                self._error(404, "not_found", "Unknown path")
            elif self._may_enter():
                self._complete(seen, owner._take())
        except (BrokenPipeError, ConnectionResetError):
            seen.was_cut_by_client = True
            self.close_connection = True
        finally:
            seen.ended_at = time.monotonic()

    def _embed(self, seen: Seen) -> None:
        """Give each text a vector that depends on its first word alone."""
        size = seen.body["dimensions"]
        texts = seen.body["input"]
        seen.tokens_in = sum(map(tokens_of, texts))
        rows = []
        for place, text in reversed(list(enumerate(texts))):
            vector = [0.0] * size
            vector[sum(text.split()[0].lower().encode()) % size] = 1.0
            rows.append({"index": place, "embedding": vector})
        self._json(200, {"data": rows, "usage": {"prompt_tokens": seen.tokens_in}})

    def _note(self, body: dict[str, Any]) -> Seen:
        key = self._key()
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path, body, key, headers, self.client_address)
        with self.server.owner._lock:
            self.server.owner.requests.append(seen)
        return seen

    def _key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _prompt_tokens(self, body: dict[str, Any]) -> int:
        return prompt_tokens(body["messages"])

    def _may_enter(self) -> bool:
        owner = self.server.owner
        if owner.key and self.headers.get("Authorization") != f"Bearer {owner.key}":
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._error(401, "invalid_api_key", f"Incorrect API key provided: {given}")
            return False
        return True

    def _complete(self, seen: Seen, how: Behaviour) -> None:
        if not self._wait(how.latency):
            return
        if how.hang:
            self._wait(3600)
            return
        if how.reset:
            self._reset()
            return
        if how.status != 200:
            self._error(
                how.status, how.code or "error", how.message or "It failed", how.retry_after
            )
            return
        for parameter in how.unknown:
            if parameter in seen.body:
                self._error(
                    400,
                    "unsupported_parameter",
                    f"Unsupported parameter: '{parameter}'.",
                    param=parameter,
                )
                return
        seen.tokens_in = self._prompt_tokens(seen.body)
        if how.raw is not None:
            self._start(how.content_type)
            self._chunk(how.raw)
            self._end()
            return
        self._stream(seen, how)

    def _stream(self, seen: Seen, how: Behaviour) -> None:
        self._start(how.content_type)
        for event in self._events(seen, how):
            data = self._frame(event)
            if how.drip:
                for position in range(len(data)):
                    self._chunk(data[position : position + 1])
                    if not self._wait(how.drip):
                        return
            else:
                self._chunk(data)
            if how.cut_after is not None and seen.tokens_out >= how.cut_after:
                self._reset()
                return
        self._end()

    def _frame(self, event: bytes) -> bytes:
        return b"data: " + event + b"\n\n"

    def _pieces(self, seen: Seen, how: Behaviour) -> tuple[list[str], str]:
        """Return the words of the answer within the limit that was asked for, and how it ends."""
        text = how.text if how.text is not None else self.server.owner.reply(seen.body)
        limit = seen.body.get("max_tokens") or seen.body.get("max_completion_tokens") or 10**9
        pieces = [word + " " for word in text.split(" ")] if text else []
        if pieces:
            pieces[-1] = pieces[-1][:-1]
        finish = how.finish_reason
        if len(pieces) > limit and not how.ignores_limit:
            pieces, finish = pieces[:limit], "length"
        return pieces, finish

    def _events(self, seen: Seen, how: Behaviour) -> Iterator[bytes]:
        model = how.served_model or seen.body["model"]
        pieces, finish = self._pieces(seen, how)
        if how.asks:
            pieces, finish = [], "tool_calls"
        for place, (name, arguments) in enumerate(how.asks):
            seen.tokens_out += tokens_of(arguments)
            yield from _asking(model, place, name, arguments)
        for piece in pieces:
            seen.tokens_out += tokens_of(piece)
            yield _event(model, {"content": piece}, None)
            if not self._wait(how.gap):
                return
        if how.with_finish:
            yield _event(model, {}, finish)
        if how.with_usage and seen.body.get("stream_options", {}).get("include_usage"):
            yield _event(model, None, None, usage=_usage(seen))
        if how.with_finish:
            yield b"[DONE]"

    def _start(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Break the connection as a crashed server does."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _wait(self, seconds: float) -> bool:
        """Wait, unless the server is being stopped or the client has gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.owner._stop.wait(min(left, 0.05)):
                self.close_connection = True
                return False
            if left > 0.1 and self._client_has_gone():
                raise BrokenPipeError
        return True

    def _client_has_gone(self) -> bool:
        self.connection.setblocking(False)
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK) == b"")
        except BlockingIOError:
            return False
        finally:
            self.connection.setblocking(True)

    def _error(
        self, status: int, code: str, message: str, retry_after: str | None = None, param: str = ""
    ) -> None:
        self._json(
            status,
            {"error": {"message": message, "type": code, "code": code, "param": param or None}},
            retry_after,
        )

    def _json(self, status: int, body: object, retry_after: str | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(data)


def _event(
    model: str,
    delta: Mapping[str, object] | None,
    finish: str | None,
    usage: dict[str, object] | None = None,
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body: dict[str, object] = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": choices,
    }
    if usage is not None:
        body["usage"] = usage
    return json.dumps(body).encode()


def _asking(model: str, place: int, name: str, arguments: str) -> Iterator[bytes]:
    """Ask for a tool as real servers do: its name first, its arguments bit by bit."""
    begun = {"index": place, "id": f"call_{place}", "type": "function"}
    yield _event(
        model, {"tool_calls": [begun | {"function": {"name": name, "arguments": ""}}]}, None
    )
    for at in range(0, len(arguments), 7):
        more = {"index": place, "function": {"arguments": arguments[at : at + 7]}}
        yield _event(model, {"tool_calls": [more]}, None)


def _usage(seen: Seen) -> dict[str, object]:
    return {
        "prompt_tokens": seen.tokens_in,
        "completion_tokens": seen.tokens_out,
        "total_tokens": seen.tokens_in + seen.tokens_out,
    }


def main() -> None:
    """Run a server until interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=9009)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    with ModelServer(port=options.port) as server, suppress(KeyboardInterrupt):
        server.always(Behaviour(gap=options.gap, latency=options.latency))
        print(f"{server.base_url} with key {server.key}", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
