"""Runs the checks beside the tests, which leave a processor free now and then.

A check that fails ends the tests at once, so that what it says is the last that is shown.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
CHECKS = (sys.executable, str(CLONE / ".ci" / "checks.py"))
TESTS = (sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile")
TESTS += ("--no-loadscope-reorder", "--durations", "15")
INTERRUPTED = 130


def main() -> int:
    """Return 0 when both went well. Whoever presses Ctrl+C waits until both have ended."""
    with (
        subprocess.Popen(
            CHECKS, cwd=CLONE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as checks,
        subprocess.Popen(TESTS, cwd=CLONE) as tests,
    ):
        try:
            said, _ = checks.communicate()
            if checks.returncode:
                end(tests)
            sys.stdout.write(f"\n{said}")
            sys.stdout.flush()
            return checks.returncode or tests.wait()
        except KeyboardInterrupt:
            tests.wait()
            return INTERRUPTED


def end(tests: subprocess.Popen[bytes]) -> None:
    """Interrupt the tests and wait until they have stopped what they started."""
    tests.send_signal(signal.SIGINT)
    tests.wait()


if __name__ == "__main__":
    sys.exit(main())
