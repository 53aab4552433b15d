"""The real web server with real sockets: close codes, sizes, and a stop that does not wait."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentapp.management.stack import commands
from tests.cast import Cast
from tests.dashboard.live.sockets import recorded, run, session_of
from tests.pace import allowed

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(live_cast: Cast, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    port, log = free_port(), tmp_path / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *commands.web(host="127.0.0.1", port=port)],
            cwd=ROOT,
            env=os.environ | {"PORT": str(port)},
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_port(port, process)
        yield process, port, log
    finally:
        process.kill()
        process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the web server did not start")


def door(port: int, session_key: str, *, origin: str | None = None) -> Any:
    return connect(
        f"ws://localhost:{port}/live/",
        origin=origin or f"http://localhost:{port}",  # type: ignore[arg-type]
        additional_headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_key}"},
    )


async def close_code(wire: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        try:
            while True:
                await wire.recv()
        except ConnectionClosed:
            return wire.close_code


def test_pages_live_on_the_real_server_and_end_with_it(
    server: tuple[subprocess.Popen[bytes], int, Path], live_cast: Cast
) -> None:
    process, port, log = server
    key, topic = session_of(live_cast.sam), f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        with pytest.raises(InvalidStatus):
            await door(port, key, origin="http://evil.example")
        async with door(port, "nobody") as stranger:
            assert await close_code(stranger) == 4401
        async with door(port, key) as loud:
            await loud.send(json.dumps({"op": "pong", "x": "x" * 70_000}))
            assert await close_code(loud) == 1009
        async with door(port, key) as tab, door(port, key) as gone:
            await gone.send(json.dumps({"op": "subscribe", "topics": [topic]}))
            gone.transport.abort()  # a laptop that is closed says no goodbye
            await tab.send(json.dumps({"op": "subscribe", "topics": [topic], "since": "9.9"}))
            await asyncio.sleep(0.5)
            await recorded(
                type="message.received",
                subject_kind="message",
                subject_id=77,
                workspace_id=live_cast.workspace.pk,
                room_id=live_cast.lounge.pk,
            )
            async with asyncio.timeout(5):
                while json.loads(await tab.recv()).get("id") != "77":
                    pass
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await close_code(tab) in {1001, 1012}
            await asyncio.to_thread(process.wait, 10)
            assert time.monotonic() - begun < allowed(4.0)

    run(work)
    assert "Traceback" not in log.read_text()
