"""Typed readers for the environment: the only place that reads `os.environ`."""

from __future__ import annotations

import os
from pathlib import Path


class BadEnvironment(Exception):
    """An environment variable is missing or has a value that cannot be used."""


def default_data_folder() -> Path:
    """Return where an embedded host keeps its data when `GREENROOM_DATA` is not set."""
    if os.geteuid() == 0:
        return Path("/var/lib/greenroom")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "greenroom"


def load_stack_file(data: Path) -> None:
    """Take over what a running embedded host wrote, for commands started beside it.

    Does nothing when `DATABASE_URL` is set or the file does not exist. Values already in the
    environment win.
    """
    path = data / "stack.env"
    if "DATABASE_URL" in os.environ or not os.access(path, os.R_OK):
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and name:
            os.environ.setdefault(name, value)


def text(name: str, default: str = "") -> str:
    """Return a variable, or the contents of the file that `NAME_FILE` points to."""
    value = os.environ.get(name)
    if value is not None:
        return value
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadEnvironment(f"{name}_FILE points to {path!r}: {error.strerror}") from error
    return default


def integer(name: str, default: int) -> int:
    """Return a variable as a whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise BadEnvironment(f"{name} must be a whole number, not {value!r}.") from error


def flag(name: str, *, default: bool) -> bool:
    """Return a variable as yes or no (1/0, true/false, yes/no, on/off)."""
    value = text(name, "yes" if default else "no").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise BadEnvironment(f"{name} must be yes or no, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty items."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def sized(name: str) -> tuple[str, int] | None:
    """Return a variable as a name and a number, as in model:512; None when it is not set."""
    value = text(name).strip()
    if not value:
        return None
    named, _, number = value.rpartition(":")
    if not named or not (number.isascii() and number.isdigit()):
        raise BadEnvironment(f"{name} must be a name and a number, as in model:512.")
    return named, int(number)
