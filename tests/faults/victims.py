"""Starts victims through the nursery and hears how they ended."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Ended:
    """How a victim ended: by the kill it was armed for, by a failure of its own, or well."""

    killed: bool
    failed: bool


@dataclass
class Nursery:
    """The other end of the pipe; its victims live without one guard where a mutation is named."""

    process: subprocess.Popen[str]
    mutation: str = ""

    def warm(self, **said: object) -> None:
        """Let the nursery do everything once, beginning with these words in a room."""
        assert self._ask({"warm": said})["threads"] == 1, "it cannot fork while threads run"

    def start(self, role: str, *, point: str = "", **arguments: object) -> int:
        """Fork a victim and return its pid."""
        asked = {"role": role, "point": point, "mutation": self.mutation, "arguments": arguments}
        return int(self._ask(asked)["pid"])

    def wait(self, pid: int) -> Ended:
        """Wait for a victim's end."""
        return Ended(**self._ask({"wait": pid, "seconds": PATIENCE_SECONDS}))

    def run(self, role: str, *, point: str = "", **arguments: object) -> Ended:
        """Fork a victim and wait for its end."""
        return self.wait(self.start(role, point=point, **arguments))

    def _ask(self, asked: dict[str, object]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def nursery(*, log: Path, mutation: str = "") -> Iterator[Nursery]:
    """Give a nursery on the database and broker of this test run.

    Its process is started once, serves one test after the other and ends with the tests.
    """
    process = _process()
    if process.poll() is not None:
        _process.cache_clear()
        process = _process()
    begun = _log_size()
    try:
        yield Nursery(process, mutation)
    finally:
        log.write_bytes(_logged(begun))


_LOG: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - what every victim wrote, to the end


@lru_cache(maxsize=1)
def _process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=ROOT,
        env=os.environ | {"TOKENIZERS_PARALLELISM": "false", "LOG_LEVEL": "WARNING"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_LOG,
        text=True,
    )
    atexit.register(_end, process)
    assert process.stdout is not None
    assert process.stdout.readline(), _logged(0)[-2000:]
    return process


def _log_size() -> int:
    return os.fstat(_LOG.fileno()).st_size


def _logged(since: int) -> bytes:
    """Return what victims wrote from a place on; where they write next stays as it is."""
    return os.pread(_LOG.fileno(), _log_size() - since, since)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
