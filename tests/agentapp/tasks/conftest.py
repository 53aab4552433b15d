"""A real worker process beside the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from agentapp.management.stack.commands import WORKER
from tests.agentapp.engine.stage import Stage
from tests.cast import Cast
from tests.fakes.connecting import connect
from tests.fakes.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[3]


class Worker:
    """One worker process, ended with the test."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *WORKER],
            cwd=ROOT,
            env=os.environ | {"LLM_ALLOW_REQUESTS": "no"},
            start_new_session=True,
        )

    def stop(self) -> float:
        """Ask it to end; returns the seconds that took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(20)
        return time.monotonic() - started

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def start_worker(live_cast: Cast) -> Iterator[Callable[[], Worker]]:
    """Start worker processes on an empty queue."""
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.flushdb()
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker())
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()
    broker.flushdb()
    broker.close()


@pytest.fixture
def live(live_cast: Cast) -> Iterator[Stage]:
    with ModelServer() as server:
        connect(live_cast.workspace, server)
        yield Stage(live_cast, server)
