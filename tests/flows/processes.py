"""Greenroom's own processes beside a test: web, worker, beat and bots, as `make run` has them."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from agentapp.management.stack import commands
from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.programs import Program, kill_group, launch

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
READY_SECONDS = 60.0
GRACE_SECONDS = 10.0
LOG_END = 2_000  # characters of a log that a failure shows


@dataclass(frozen=True)
class RunningHost:
    """A host that answers. `url` is what a browser opens."""

    url: str
    logs: Path
    children: dict[str, subprocess.Popen[bytes]]

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Fail with its log if a process has ended."""
        for name, process in self.children.items():
            assert process.poll() is None, f"{name} has ended:\n{self.log(name)[-LOG_END:]}"


@contextmanager
def running_host(folder: Path, **more: str) -> Iterator[RunningHost]:
    """Run all four on the database and broker of this test run, with `more` in their settings."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "LLM_ALLOW_REQUESTS": "no",
        "DATABASE_POOL": "6",
        "MATRIX_ALLOW_PRIVATE": "yes",  # the homeserver of the tests is on this machine
        **more,
    }
    arguments = {
        "web": commands.web(host=HOST, port=port),
        "worker": commands.WORKER,
        "beat": commands.beat(schedule=str(folder / "beat-schedule")),
        "bots": commands.BOTS,
    }
    host = RunningHost(url=f"http://localhost:{port}", logs=folder, children={})
    with ExitStack() as stack:
        for name, words in arguments.items():
            host.children[name] = stack.enter_context(
                _running(name, words, folder=folder, settings=settings)
            )
        _wait_until_ready(host)
        yield host
        for process in host.children.values():  # together, not one after the other
            process.terminate()


@contextmanager
def _running(
    name: str, arguments: tuple[str, ...], *, folder: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    program = Program(
        name=name,
        arguments=(sys.executable, *arguments),
        # Whoever runs the tests can read the clone; the account of a real host might not.
        account=ServiceAccount("tests", os.geteuid(), os.getegid(), is_current=True),
        folder=ROOT,
        log=folder / f"{name}.log",
        environment=os.environ | settings,
    )
    process = launch(program)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        kill_group(process)
        process.wait()


def _wait_until_ready(host: RunningHost) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        host.check()
        if _is_ready(int(host.url.rpartition(":")[2])):
            return
        time.sleep(0.2)
    raise AssertionError(f"the host did not become ready:\n{host.log('web')[-LOG_END:]}")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number = probe.getsockname()[1]
        assert isinstance(number, int)
        return number
