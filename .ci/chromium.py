"""Makes sure that Debian's Chromium is there for the browser tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

MISSING = (
    "The browser tests need Chromium, and {}. Install it as root with "
    "`apt-get install chromium fonts-liberation`, then run `make test` again.\n"
)
PACKAGES = ("chromium", "fonts-liberation")


def main() -> int:
    """Install Chromium when it is missing and this account may; else say what is missing."""
    if shutil.which("chromium"):
        return 0
    prefix = root_prefix()
    if prefix is None:
        sys.stdout.write(MISSING.format("it is not installed and this account may not install it"))
        return 1
    sys.stdout.write("Installing Chromium for the browser tests\n")
    sys.stdout.flush()
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    if not (quietly(prefix, ["apt-get", "update", "-q"]) and quietly(prefix, install)):
        sys.stdout.write(MISSING.format("Debian's packages could not be installed (see above)"))
        return 1
    return 0


def root_prefix() -> list[str] | None:
    """Return what has to stand before a command to run it as root; None when that is impossible."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], check=False, stderr=subprocess.DEVNULL)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def quietly(prefix: list[str], command: list[str]) -> bool:
    """Run a command as root; show what it said only when it failed."""
    done = subprocess.run(
        [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
