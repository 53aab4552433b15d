"""Starts victims through the nursery and hears how they ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 40.0


@dataclass(frozen=True)
class Ended:
    """How a victim ended: by the kill it was armed for, by a failure of its own, or well."""

    killed: bool
    failed: bool


@dataclass
class Nursery:
    """The other end of the pipe."""

    process: subprocess.Popen[str]

    def warm(self, **said: object) -> None:
        """Let the nursery do everything once, beginning with these words in a room."""
        assert self._ask({"warm": said})["threads"] == 1, "it cannot fork while threads run"

    def start(self, role: str, *, point: str = "", **arguments: object) -> int:
        """Fork a victim and return its pid."""
        asked = {"role": role, "point": point, "arguments": arguments}
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
    """Run a nursery on the database and broker of this test run."""
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "LOG_LEVEL": "WARNING"}
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", mutation],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), log.read_text(errors="replace")[-2000:]
            yield Nursery(process)
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(10)
            process.stdout.close()
