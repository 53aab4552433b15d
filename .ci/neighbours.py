"""Makes environments for programs that Greenroom is tried against: `neighbours.py synapse litellm`.

Each brings its own versions of much, so none of them ever enters the environment of the product.
It needs the standard library only, so that it can be run while that environment is still made.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
WHAT_FOR = {
    "synapse": "Synapse for the Matrix tests",
    "litellm": "LiteLLM's proxy to measure the gateway against",
}


def main(names: list[str]) -> int:
    """Bring environments up to their lock files; do nothing where they are."""
    return max(install(name) for name in names)


def install(name: str) -> int:
    """Bring one environment up to its lock file. Returns 1, having said why, where that fails."""
    environment, lock = CLONE / f".venv-{name}", CLONE / f"requirements-{name}.txt"
    stamp = environment / "installed"
    wanted = f"{sys.version}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stdout.write(f"Installing {WHAT_FOR[name]}\n")
    sys.stdout.flush()
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, symlinks=True, with_pip=True)
    done = subprocess.run(
        install_command(environment, lock),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
        sys.stdout.write(f"{name} could not be installed; the lines above say why.\n")
        return 1
    stamp.write_text(wanted, encoding="utf-8")
    return 0


def install_command(environment: Path, lock: Path) -> list[str]:
    """Return the call that fills an environment with what a lock file names.

    Nothing is resolved or built, and only what is imported gets compiled, when it is.
    """
    command = [str(environment / "bin" / "python"), "-m", "pip", "install", "--no-deps"]
    command += ["--no-input", "--only-binary", ":all:", "--no-compile"]
    return [*command, "--disable-pip-version-check", "--progress-bar", "off", "-r", str(lock)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
