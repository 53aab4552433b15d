"""Where the children's Python and code are: the clone itself, or a copy their account can read."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.copies import can_read, copy_tree
from agentapp.management.stack.errors import StackError

CLONE = Path(__file__).resolve().parents[3]
CODE = ("agentapp", "bots", "dashboard", "templates", "static", "manage.py")
PACKAGES = ("agentapp", "bots", "dashboard")
READABLE = ("manage.py", "agentapp/__init__.py", "templates")
PROBE = "import django, psycopg"


@dataclass(frozen=True)
class Installation:
    """A Python with every dependency, and the folder that holds `manage.py`."""

    python: Path
    folder: Path

    def command(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """Return a full command line for arguments of the interpreter."""
        return (str(self.python), *arguments)

    def environment_path(self, original: Path) -> Path:
        """Return where a file of this process's environment is in this installation's."""
        return self.python.parents[1] / original.relative_to(sys.prefix)


def installation_for(
    account: ServiceAccount, *, copy: Path, report: Callable[[str], None]
) -> Installation:
    """Return an installation the account can run; copy afresh what it cannot read.

    Raises:
        StackError: The interpreter itself is closed to the account.
    """
    own = Installation(python=Path(sys.executable), folder=CLONE)
    if account.is_current:
        return own

    def say(what: str) -> None:
        report(f"Copying {what} to {copy}: the account {account.name!r} cannot read {CLONE}")

    chosen = existing_installation(account, copy=copy)
    if chosen != own:
        copy.mkdir(mode=0o755, exist_ok=True)
        copy.chmod(0o755)
    if chosen.folder == CLONE:
        _compile(CLONE)
    else:
        _refresh_code(chosen.folder, say)
    if chosen.python != own.python:
        _refresh_environment(chosen.python.parents[1], say)
    if not _can_run(chosen.python, account):
        raise StackError(
            f"The account {account.name!r}, which runs the servers, cannot run "
            f"{own.python.resolve()}. Install Debian's python3.11, remove the folder .venv and "
            "run `make run` again."
        )
    return chosen


def existing_installation(account: ServiceAccount, *, copy: Path) -> Installation:
    """Return what a running host's children use, without changing anything."""
    python = Path(sys.executable)
    if not account.is_current and not _can_run(python, account):
        python = copy / "venv" / "bin" / "python"
    is_readable = all(can_read(CLONE / name, account=account) for name in READABLE)
    return Installation(python=python, folder=CLONE if is_readable else copy / "code")


def _can_run(python: Path, account: ServiceAccount) -> bool:
    try:
        done = subprocess.run(
            [str(python), "-c", PROBE],
            check=False,
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account.identity(),
        )
    except OSError:  # closed to the account, or not copied yet
        return False
    return done.returncode == 0


def _refresh_environment(target: Path, say: Callable[[str], None]) -> None:
    source = Path(sys.prefix)

    def fill(fresh: Path) -> None:
        say("the Python environment")
        copy_tree(source, fresh)

    _replace_when_changed(
        target,
        fingerprint=_fingerprint(_stamps(source)),
        fill=fill,
    )


def _refresh_code(target: Path, say: Callable[[str], None]) -> None:
    def fill(fresh: Path) -> None:
        say("the program")
        _copy_code(CLONE, fresh)

    _replace_when_changed(
        target,
        fingerprint=_fingerprint(_source_files(CLONE)),
        fill=fill,
    )


def _replace_when_changed(target: Path, *, fingerprint: str, fill: Callable[[Path], None]) -> None:
    mark = target.with_name(f"{target.name}.fingerprint")
    if target.exists() and mark.exists() and mark.read_text(encoding="ascii") == fingerprint:
        return
    fresh = target.with_name(f"{target.name}.new")
    mark.unlink(missing_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    fill(fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    mark.write_text(fingerprint, encoding="ascii")


def _copy_code(source: Path, target: Path) -> None:
    target.mkdir(mode=0o755)
    target.chmod(0o755)
    for name in CODE:
        if (source / name).is_dir():
            copy_tree(source / name, target / name)
        elif (source / name).exists():
            shutil.copyfile(source / name, target / name)
            (target / name).chmod(0o644)
    _compile(target)


def _compile(folder: Path) -> None:
    """Compile what the children cannot: they may not write beside the code."""
    for package in PACKAGES:
        compileall.compile_dir(folder / package, quiet=2)


def _stamps(environment: Path) -> Iterator[Path]:
    """Files of an environment that change with whatever is installed in it."""
    yield environment / "pyvenv.cfg"
    for site_packages in environment.glob("lib/python*/site-packages"):
        yield site_packages
        yield from sorted(site_packages.glob("*.dist-info"))


def _source_files(folder: Path) -> Iterator[Path]:
    for name in CODE:
        path = folder / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in files if file.is_file() and file.suffix != ".pyc")


def _fingerprint(paths: Iterator[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            state = path.stat()
            digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
