"""Runs the containers of docker-compose.yml as plain processes: what the file says, nothing else.

Only places differ, as they do between any two machines: names of servers, the port, the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml

from agentapp.management.stack.postgres import PORT as POSTGRES_SOCKET
from agentapp.management.stack.roles import DATABASE
from tests.agentapp.management.hosts import ROOT
from tests.faults.disk import Disk, small_disk
from tests.faults.proxy import Proxy
from tests.services import SUPERUSER_URL, running_services

OWN = ("web", "worker", "beat", "bots")
BEAT_BEGINS = "celery beat v"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the file, with what they share filled in."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found["services"]


def image_environment() -> dict[str, str]:
    """Return what the image itself tells every process."""
    words = re.search(r"^ENV ((?:.*\\\n)*.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert words
    return dict(word.split("=", 1) for word in words.group(1).replace("\\\n", " ").split())


@dataclass(frozen=True)
class Composed:
    """A machine on which the file's containers can run."""

    values: Mapping[str, str]  # of the .env file
    places: Mapping[str, str]  # as in the file, and as here
    log: Path
    proxies: Mapping[str, Proxy]
    disk: Disk
    superuser_url: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return where the web process is reached."""
        return self.values["PUBLIC_URL"]

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        """Return what a container of the service sees."""
        told = {name: self.here(str(text)) for name, text in service["environment"].items()}
        image = {name: self.here(text) for name, text in image_environment().items()}
        machine = {
            "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
            "HOSTNAME": socket.gethostname(),
            "LOG_LEVEL": "WARNING",
        }
        return machine | image | told

    def here(self, text: str) -> str:
        """Fill in variables and replace places of the file by those of this machine."""
        filled = _VARIABLE.sub(self._value, text).replace("$$", "$")
        for there, here in self.places.items():
            filled = filled.replace(there, here)
        return filled

    def _value(self, found: re.Match[str]) -> str:
        name, kind, other = found.groups()
        if name in self.values:
            return self.values[name]
        assert kind == "-", f"{name} has no value: {other}"
        return str(other)

    def let_pass(self, seconds: float) -> None:
        """Move the database's clock."""
        with psycopg.connect(self.superuser_url, dbname=DATABASE, autocommit=True) as session:
            session.execute(
                "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [seconds]
            )

    def run(self, service: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run a container that ends by itself."""
        return subprocess.run(
            [self.here(word) for word in service["command"]],
            cwd=ROOT,
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, service: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """Start a container that stays."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [self.here(word) for word in service["command"]],
                cwd=ROOT,
                env=self.environment(service),
                stdout=log,
                stderr=log,
            )

    def is_healthy(self, service: Mapping[str, Any]) -> bool:
        """Run the service's own health check once, for as long as it may take."""
        check = service["healthcheck"]
        kind, *words = check["test"]
        words = [self.here(word) for word in words]
        command = words if kind == "CMD" else ["/bin/sh", "-c", words[0]]
        seconds = float(check["timeout"].removesuffix("s"))
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=self.environment(service),
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    @contextmanager
    def up(self) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Run our own four processes until the block ends."""
        try:
            for name in OWN:
                self.running[name] = self.start(services()[name])
            yield self.running
        finally:
            for process in self.running.values():
                process.kill()
                process.wait()
            self.running.clear()

    def wait_until_healthy(self, *, seconds: float) -> None:
        """Wait until every health check of ours says so."""
        waiting = [name for name in OWN if "healthcheck" in services()[name]]
        give_up = time.monotonic() + seconds
        while waiting:
            waiting = [name for name in waiting if not self.is_healthy(services()[name])]
            over = [name for name, one in self.running.items() if one.poll() is not None]
            assert not over, f"{over} ended:\n{self.said()}"
            assert time.monotonic() < give_up, f"{waiting} stay unhealthy:\n{self.said()}"

    def wait_until_the_clock_ticks(self, *, seconds: float) -> None:
        """Wait until beat has said that it starts, and has written down when something ran."""
        schedule = Path(self.here("/data/beat-schedule"))
        give_up = time.monotonic() + seconds
        while not (list(schedule.parent.glob("beat-schedule*")) and BEAT_BEGINS in self.said(None)):
            assert time.monotonic() < give_up, f"no clock ticks:\n{self.said()}"
            time.sleep(0.05)

    def said(self, most: int | None = 2000) -> str:
        """Return the end of what the containers wrote."""
        text = self.log.read_text(errors="replace")
        return text if most is None else text[-most:]


def stopped(running: Mapping[str, subprocess.Popen[bytes]]) -> dict[str, int]:
    """Stop processes as `docker compose stop` does; return how each ended within its grace."""
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    give_up = time.monotonic() + float(services()["web"]["stop_grace_period"].removesuffix("s"))
    return {name: one.wait(max(give_up - time.monotonic(), 0)) for name, one in running.items()}


@contextmanager
def machine(folder: Path, *, port: int) -> Iterator[Composed]:
    """A machine with a database server and a broker that are reached by TCP."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk"))
        told = stack.enter_context(_services_on(disk))
        sockets = Path(told["REDIS_URL"].removeprefix("unix://").partition("?")[0]).parent
        upstreams = {
            "postgres": sockets / f".s.PGSQL.{POSTGRES_SOCKET}",
            "valkey": sockets / "valkey.sock",
        }
        proxies = {
            name: stack.enter_context(Proxy(upstream=path)) for name, path in upstreams.items()
        }
        data = folder / "data"
        data.mkdir()
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        yield Composed(
            values=_credentials()
            | {
                "SUPERUSER_PASSWORD": _password(told[SUPERUSER_URL]),
                "PUBLIC_URL": f"http://localhost:{port}",
            },
            places={
                "@postgres:5432": f"@127.0.0.1:{proxies['postgres'].port}",
                "redis://valkey:6379": f"redis://127.0.0.1:{proxies['valkey'].port}",
                "localhost:8000": f"localhost:{port}",
                "/data": str(data),
                **({"8000": str(port)} if port != 8000 else {}),
            },
            log=folder / "containers.log",
            proxies=proxies,
            disk=disk,
            superuser_url=told[SUPERUSER_URL],
        )


@contextmanager
def _services_on(disk: Disk) -> Iterator[dict[str, str]]:
    """Run the servers with their data on a disk."""
    before = tempfile.tempdir
    tempfile.tempdir = str(disk.folder)
    try:
        with running_services() as told:
            tempfile.tempdir = before
            yield told
    finally:
        tempfile.tempdir = before


def _credentials() -> dict[str, str]:
    """Return what the first line of docker-compose.yml tells to put into .env."""
    printed = subprocess.run(
        [sys.executable, "-m", "agentapp.management.stack.credentials"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in printed.stdout.splitlines())


def _password(url: str) -> str:
    found = re.search(r":([^:@]+)@", url)
    assert found
    return found.group(1)
