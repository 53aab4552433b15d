"""The unprivileged account that every child runs as when the host is started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

NAME = "greenroom"
FALLBACK = "nobody"


class Identity(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change who a child is."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True)
class ServiceAccount:
    """Who the children are. `is_current` when that is simply whoever started the host."""

    name: str
    uid: int
    gid: int
    is_current: bool

    def identity(self) -> Identity:
        """Return what `subprocess.Popen` needs to become this account, without further groups."""
        if self.is_current:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path, *, mode: int) -> None:
        """Give a file or folder to this account."""
        path.chmod(mode)
        if not self.is_current:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def service_account(*, create: bool) -> ServiceAccount:
    """Return the account for the children.

    An ordinary user runs them as himself. Root uses `greenroom`, made when `create` is set and
    the system can, else `nobody`: Postgres refuses uid 0, and no child needs it.
    """
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()).pw_name, is_current=True)
    if not _exists(NAME) and create:
        _add_account()
    return _account(NAME if _exists(NAME) else FALLBACK, is_current=False)


def _account(name: str, *, is_current: bool) -> ServiceAccount:
    entry = pwd.getpwnam(name)
    return ServiceAccount(name=name, uid=entry.pw_uid, gid=entry.pw_gid, is_current=is_current)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _add_account() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return
    # A refusal (a read-only /etc, say) is no failure: the fallback account serves too.
    subprocess.run(
        [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir=/nonexistent",
            "--shell=/usr/sbin/nologin",
            NAME,
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
