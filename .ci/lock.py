"""Writes the lock files: every package, also the indirect ones, pinned exactly.

Each set is resolved in an empty environment, so nothing installed by hand gets in.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
HEADER = "# Written by `make lock` from {}; do not edit.\n"


def main() -> None:
    """Resolve the runtime set first; the development set builds on exactly that."""
    with tempfile.TemporaryDirectory() as folder:
        python = empty_environment(Path(folder) / "venv")
        runtime = resolve(python, "requirements.in")
        write("requirements.txt", "requirements.in", runtime)
        development = resolve(python, "requirements-dev.in", "-c", "requirements.txt")
        added = [line for line in development if line not in runtime]
        write("requirements-dev.txt", "requirements-dev.in", added)
        # The homeserver of the Matrix tests shares nothing with the product.
        synapse = resolve(empty_environment(Path(folder) / "synapse"), "requirements-synapse.in")
        write("requirements-synapse.txt", "requirements-synapse.in", synapse)


def empty_environment(folder: Path) -> str:
    """Make an environment with nothing in it and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return str(folder / "bin" / "python")


def resolve(python: str, source: str, *constraints: str) -> list[str]:
    """Install one set and return what is then installed."""
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-r", source, *constraints], check=True, cwd=CLONE)
    frozen = subprocess.run(
        [python, "-m", "pip", "freeze", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    )
    return frozen.stdout.splitlines()


def write(name: str, source: str, lines: list[str]) -> None:
    """Write one lock file."""
    text = HEADER.format(source) + "".join(f"{line}\n" for line in lines)
    (CLONE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
