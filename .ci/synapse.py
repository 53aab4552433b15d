"""Makes the environment of the Matrix homeserver that the tests talk to.

Synapse brings its own versions of much, so it never enters the environment of the product.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
ENVIRONMENT = CLONE / ".venv-synapse"
LOCK = CLONE / "requirements-synapse.txt"
STAMP = ENVIRONMENT / "installed"


def main() -> int:
    """Bring the environment up to its lock file; do nothing when it is."""
    wanted = f"{sys.version}\n{hashlib.sha256(LOCK.read_bytes()).hexdigest()}"
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stdout.write("Installing Synapse for the Matrix tests\n")
    sys.stdout.flush()
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, symlinks=True)
    done = subprocess.run(
        install_command(), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
        sys.stdout.write("Synapse could not be installed; the lines above say why.\n")
        return 1
    STAMP.write_text(wanted, encoding="utf-8")
    return 0


def install_command() -> list[str]:
    """Return the call of this environment's pip that fills the other one.

    Nothing is resolved or built, and only what Synapse imports gets compiled, when it does.
    """
    python = str(ENVIRONMENT / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps"]
    command += ["--no-input", "--only-binary", ":all:", "--no-compile"]
    return [*command, "--disable-pip-version-check", "--progress-bar", "off", "-r", str(LOCK)]


if __name__ == "__main__":
    sys.exit(main())
