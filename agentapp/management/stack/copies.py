"""Copies for the children's account, when it cannot read the originals (a clone in /root, say).

Opening the parent folders instead would open somebody's home to everybody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from agentapp.management.stack import postgres, valkey
from agentapp.management.stack.accounts import ServiceAccount

TEST = "/usr/bin/test"


def can_read(path: Path, *, account: ServiceAccount) -> bool:
    """Return whether the account reaches a path and may read it."""
    if account.is_current:
        return os.access(path, os.R_OK)
    done = subprocess.run([TEST, "-r", str(path)], check=False, cwd="/", **account.identity())
    return done.returncode == 0


def server_binaries(*, account: ServiceAccount, spare: Path) -> tuple[Path, Path]:
    """Return the folder of Postgres' binaries and the Valkey binary, readable by the account.

    Copies of both go below `spare` when needed, with the layout that the binaries' library path
    expects.
    """
    binaries, server = postgres.installed_binaries(), valkey.installed_binary()
    if can_read(binaries / "postgres", account=account) and can_read(server, account=account):
        return binaries, server
    package = binaries.parents[1]
    install = spare / package.name / binaries.parent.name
    copy_tree(binaries.parent, install)
    copy_tree(package.with_name(package.name + ".libs"), spare / (package.name + ".libs"))
    shutil.copyfile(server, spare / server.name)
    (spare / server.name).chmod(0o755)
    return install / "bin", spare / server.name


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder so that everybody who reaches it can read it, whatever its modes were."""
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_readable)
    target.chmod(0o755)
    for folder, names, _ in os.walk(target):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755)


def _copy_readable(source: str, target: str, *, follow_symlinks: bool = True) -> str:
    # Times are kept: compiled files are checked against them.
    shutil.copy2(source, target, follow_symlinks=follow_symlinks)
    if follow_symlinks or not Path(source).is_symlink():
        is_program = Path(source).stat().st_mode & 0o100
        Path(target).chmod(0o755 if is_program else 0o644)
    return target
