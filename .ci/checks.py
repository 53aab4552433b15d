"""Runs every check that needs no test: lint, types, import contracts, settings, migrations."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CLONE))

from tests.services import running_services  # noqa: E402 - found by the line above

BIN = Path(sys.executable).parent
MANAGE = (sys.executable, "manage.py")
PRODUCTION = {"PUBLIC_URL": "https://greenroom.example", "TRUST_PROXY": "yes"}
STATIC_CHECKS = {
    "lint": (str(BIN / "ruff"), "check", "."),
    "format": (str(BIN / "ruff"), "format", "--check", "."),
    "imports": (str(BIN / "lint-imports"),),
    "types": (str(BIN / "mypy"), "agentapp", "bots", "dashboard", "benchmarks", "manage.py"),
}
DJANGO_CHECKS = {
    "django": (*MANAGE, "check", "--database", "default", "--fail-level", "WARNING"),
    "deploy": (*MANAGE, "check", "--deploy", "--fail-level", "WARNING"),
    "migrations": (*MANAGE, "makemigrations", "--check", "--dry-run"),
}


def main() -> int:
    """Run all of them, also after a failure; return 1 when any failed."""
    failed = [name for name, command in STATIC_CHECKS.items() if not passes(name, command, {})]
    with running_services() as services:
        for name, command in DJANGO_CHECKS.items():
            extra = PRODUCTION if name == "deploy" else {}
            if not passes(name, command, services | extra):
                failed.append(name)
    if failed:
        sys.stdout.write(f"Failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def passes(name: str, command: tuple[str, ...], environment: dict[str, str]) -> bool:
    """Run one check, say how it went, and show its output when it failed."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        check=False,
        cwd=CLONE,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    sys.stdout.write(f"{name:<12}{verdict:<8}{time.monotonic() - began:5.1f} s\n")
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
