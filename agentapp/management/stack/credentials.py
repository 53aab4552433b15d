"""The passwords and keys of an embedded host: made once, kept in one private file."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.errors import StackError

KEY_BYTES = 32
PASSWORD_BYTES = 24


@dataclass(frozen=True)
class Credentials:
    """Three database passwords, the signing key, and the keys that seal secrets in rows."""

    superuser_password: str
    owner_password: str
    app_password: str
    secret_key: str
    greenroom_keys: str


def load_or_create_credentials(path: Path) -> Credentials:
    """Return the credentials of a data folder, making them at its first start.

    Raises:
        StackError: The file is damaged. Nothing is replaced: new keys could not open the
            secrets that the old ones sealed.
    """
    if not path.exists():
        write_private(path, json.dumps(asdict(new_credentials()), indent=1))
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{path} is damaged. Put back a copy from a backup: without its keys the stored "
            "secrets cannot be read."
        ) from error


def write_environment(path: Path, values: Mapping[str, str], *, account: ServiceAccount) -> None:
    """Write NAME=value lines that only the given account can read."""
    write_private(path, "".join(f"{name}={value}\n" for name, value in values.items()))
    account.take(path, mode=0o600)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, so that no reader and no crash sees half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def new_credentials() -> Credentials:
    """Return random ones."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return Credentials(
        superuser_password=secrets.token_urlsafe(PASSWORD_BYTES),
        owner_password=secrets.token_urlsafe(PASSWORD_BYTES),
        app_password=secrets.token_urlsafe(PASSWORD_BYTES),
        secret_key=secrets.token_urlsafe(48),
        greenroom_keys=f"k1:{key}",
    )


def main() -> None:
    """Print fresh credentials as NAME=value lines, for a host that Docker runs."""
    for name, value in asdict(new_credentials()).items():
        sys.stdout.write(f"{name.upper()}={value}\n")


if __name__ == "__main__":
    main()
