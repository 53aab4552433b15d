"""Runs the embedded host as its users do: as a separate process, watched from outside."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FAKES = Path(__file__).with_name("fake_clone")
STACK = "agentapp/management/stack"
REAL_FILES = (
    "agentapp/__init__.py",
    "agentapp/config/__init__.py",
    "agentapp/config/env.py",
    "agentapp/foundation/__init__.py",
    "agentapp/foundation/errors.py",
    "agentapp/management/__init__.py",
)


def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Wait until something holds; return whether it came to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder that other accounts can reach, unlike pytest's own below root."""
    folder = Path(tempfile.mkdtemp(prefix="greenroom-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_clone(folder: Path) -> Path:
    """A clone with the real stack and stand-ins for everything it starts."""
    clone = folder / "clone"
    shutil.copytree(FAKES, clone, ignore=shutil.ignore_patterns("__pycache__"))
    for name in REAL_FILES:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    shutil.copytree(ROOT / STACK, clone / STACK, ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "templates").mkdir()
    return clone


@dataclass
class Run:
    """One started host, with what it has printed so far in `output`."""

    process: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self, *, seconds: float = 60.0) -> str:
        """Return the login link."""

        def is_over() -> bool:
            return "is ready" in self.text() or self.process.poll() is not None

        wait_for(is_over, seconds=seconds)
        found = re.search(r"^Greenroom is ready: (\S+)$", self.text(), re.MULTILINE)
        assert found, self.text()
        return found.group(1)

    def child_ids(self) -> dict[str, int]:
        """Process ids by the name of the program, for every direct child of the host."""
        found: dict[str, int] = {}
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for text in path.read_text().split():
            found[_name_of(int(text))] = int(text)
        return found

    def descendants(self) -> set[int]:
        """Every process below the host, at least one."""
        found: set[int] = set()
        waiting = [self.process.pid]
        while waiting:
            path = Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children")
            new = [int(text) for text in path.read_text().split()] if path.exists() else []
            found.update(new)
            waiting = waiting[1:] + new
        assert found
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


def _name_of(process_id: int) -> str:
    # A server may rewrite its command line, and an interpreter's name says nothing.
    try:
        name = Path(f"/proc/{process_id}/comm").read_text().strip()
        words = Path(f"/proc/{process_id}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended since it was listed
    own = [word for word in ("uvicorn", "worker", "beat", "runbots") if word in words]
    return own[0] if own else name


def is_running(process_id: int) -> bool:
    """Return whether a process exists and is not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def command(clone: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the stack's command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "agentapp.management.stack", *arguments],
        cwd=clone,
        env=os.environ | extra,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def started(clone: Path, data: Path, *, port: int, **extra: str) -> Iterator[Run]:
    """Start a host; whatever the test left of it is killed at the end."""
    output = data.parent / f"{data.name}-output.txt"
    arguments = ["-m", "agentapp.management.stack", "run", f"--port={port}", f"--data={data}"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=clone,
            env=os.environ | extra,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Run(process, output)
    finally:
        process.kill()  # the kernel then ends the children
        process.wait()
