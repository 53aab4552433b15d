"""Starts what is measured: Greenroom's own processes and the stand-in for a model server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.services import running_services

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
MODEL_PORT = 19_009
START_SECONDS = 10.0


@contextmanager
def stage(*, latency: float = 0.0) -> Iterator[None]:
    """Run Postgres with fsync on, a broker and a model server; set Django up and warm it.

    Args:
        latency: Seconds that the model server takes before its first word.
    """
    with ExitStack() as stack:
        environment = stack.enter_context(running_services(settings=()))
        os.environ.update(environment, DJANGO_SETTINGS_MODULE="agentapp.config.settings")
        refuse_taken(MODEL_PORT)
        server = ("-m", "tests.fakes.model_server", "--port", str(MODEL_PORT), "--gap", "0")
        stack.enter_context(process(*server, "--latency", str(latency)))
        wait_for_port(MODEL_PORT)
        import django

        django.setup()
        from agentapp.memory.embeddings import embed

        embed(["warm"])  # builds the model file once; not part of any reply
        yield


@contextmanager
def process(
    *arguments: str,
    program: str = sys.executable,
    environment: Mapping[str, str | None] | None = None,
) -> Iterator[int]:
    """Run a program (Python by default), its words in a log file; yield its process id.

    In `environment` None takes a variable away.
    """
    log = Path(tempfile.gettempdir()) / f"bench-{arguments[1].rpartition('.')[2]}.log"
    variables = {**os.environ, "LOG_LEVEL": "WARNING", **(environment or {})}
    with log.open("wb") as out:
        started = subprocess.Popen(
            [program, *arguments],
            cwd=ROOT,
            env={name: value for name, value in variables.items() if value is not None},
            stdout=out,
            stderr=out,
        )
    try:
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def refuse_taken(port: int) -> None:
    """End here if something listens already: what an earlier run left would be measured."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise SystemExit(f"port {port} is taken, perhaps by an earlier run that was killed")


def wait_for_port(port: int, *, seconds: float = START_SECONDS) -> None:
    """Return once something listens there; give up after `seconds`."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port} after {seconds:.0f} seconds")
