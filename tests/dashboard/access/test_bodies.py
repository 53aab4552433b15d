"""How much of a request is read: bounded by what was announced, and by what comes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashboard.bodies import MOST_BYTES, Bounded

BLOCK = b"x" * 1_000_000


class Reader:
    """An application that reads the whole body, as Django does."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.read += len(message["body"])
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def ask(blocks: int, *, announced: int | None = None) -> tuple[Reader, list[dict[str, Any]], int]:
    """Send so many megabytes; return who read, what was answered, and how much was taken."""
    app, answered, taken = Reader(), [], 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": BLOCK, "more_body": taken < blocks}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    asyncio.run(Bounded(app)({"type": "http", "headers": headers}, receive, send))
    return app, answered, taken


def test_four_whole_files_pass() -> None:
    app, answered, _ = ask(41)
    assert (app.read, answered[0]["status"]) == (41_000_000, 200)


@pytest.mark.parametrize("announced", [MOST_BYTES + 1, 10**12])
def test_what_is_announced_as_too_long_is_not_read(announced: int) -> None:
    app, answered, taken = ask(100, announced=announced)
    assert (app.read, taken, answered[0]["status"]) == (0, 0, 413)
    assert b"too large" in answered[1]["body"]


@pytest.mark.parametrize("announced", [None, 5])
def test_what_goes_on_too_long_is_cut(announced: int | None) -> None:
    app, answered, taken = ask(100, announced=announced)
    assert taken == MOST_BYTES // len(BLOCK) + 1
    assert app.read <= MOST_BYTES
    assert answered[0]["status"] == 413


def test_a_socket_is_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(Bounded(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
