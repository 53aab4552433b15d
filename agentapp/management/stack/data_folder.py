"""The folder that holds everything an embedded host keeps, and the lock on it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.copies import can_read
from agentapp.management.stack.errors import StackError

LONGEST_SOCKET_PATH = 100  # characters; the kernel's limit is 107
SOCKET_NAME = ".s.PGSQL.5432"
LOCK = "greenroom.lock"
EARLIER_RUN_SECONDS = 60.0
# Root keeps the folder and may put files into it that the children can neither read, rename nor
# remove (the sticky bit); the children make their own files beside them.
SHARED_MODE = 0o1770
PRIVATE_MODE = 0o700


@dataclass(frozen=True)
class DataFolder:
    """The paths below one data folder, for the account that uses them."""

    root: Path
    account: ServiceAccount

    @property
    def postgres(self) -> Path:
        """The database's own folder."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """The broker's append-only file."""
        return self.root / "valkey"

    @property
    def logs(self) -> Path:
        """One log per child."""
        return self.root / "logs"

    @property
    def credentials(self) -> Path:
        """Passwords and keys, made once."""
        return self.root / "credentials.json"

    @property
    def stack_file(self) -> Path:
        """What commands started beside a running host need to know."""
        return self.root / "stack.env"

    @property
    def program_copy(self) -> Path:
        """The copy of the code for an account that cannot read the original."""
        return self.root / "app"

    def prepare(self) -> None:
        """Make the folder, or refuse one that cannot be used or holds something else."""
        try:
            self._refuse_foreign()
            self.root.mkdir(parents=True, exist_ok=True)
            self._refuse_unusable()
            self._set_modes()
        except OSError as error:
            raise StackError(
                f"The data folder {self.root} cannot be used ({error.strerror}). Make it readable "
                f"and writable for you, or choose another one with `make run DATA=/folder`."
            ) from error

    def lock(self, report: Callable[[str], None]) -> int:
        """Take the folder for this host and return the open lock file.

        The servers inherit the file, so the lock also outlives a host that was killed until the
        last of them is gone; then this waits for them.

        Raises:
            StackError: Another host is running on this folder.
        """
        descriptor = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + EARLIER_RUN_SECONDS
        has_said = False
        while not _take(descriptor):
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                os.close(descriptor)
                raise StackError(
                    f"Greenroom is already running on {self.root} (process {holder}). Stop that "
                    "one first, or choose another folder with `make run DATA=/folder`; "
                    "`make login` prints a fresh login link."
                )
            if not has_said:
                report("Waiting for the servers of an interrupted run to stop")
                has_said = True
            time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def fresh_socket_folder(self) -> Path:
        """Return an empty folder whose path is short enough for unix sockets."""
        folder = self.root / "run"
        shutil.rmtree(folder, ignore_errors=True)
        if len(str(folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            folder.mkdir(mode=PRIVATE_MODE)
        else:
            folder = Path(tempfile.mkdtemp(prefix="greenroom-", dir="/tmp"))
        self.account.take(folder, mode=PRIVATE_MODE)
        return folder

    def _refuse_foreign(self) -> None:
        """Never take over a folder with somebody's files: its modes are about to change."""
        if not self.root.exists() or (self.root / LOCK).exists() or self.credentials.exists():
            return
        if not self.root.is_dir() or any(self.root.iterdir()):
            raise StackError(
                f"{self.root} holds something else than Greenroom's data. Choose an empty or a "
                "new folder with `make run DATA=/folder`."
            )

    def _refuse_unusable(self) -> None:
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(0, "it is not readable and writable for you")
        for path in (self.postgres, self.valkey):
            if path.exists() and path.stat().st_uid != self.account.uid:
                raise PermissionError(0, f"{path} belongs to another account")

    def _set_modes(self) -> None:
        (self.root / LOCK).touch(mode=0o600)
        self.logs.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        # Once it is theirs, root changes no modes below it: the name could point elsewhere.
        if not self.valkey.exists():
            self.valkey.mkdir(mode=PRIVATE_MODE)
            self.account.take(self.valkey, mode=PRIVATE_MODE)
        if self.account.is_current:
            self.root.chmod(PRIVATE_MODE)
            return
        os.chown(self.root, 0, self.account.gid)
        self.root.chmod(SHARED_MODE)
        if not can_read(self.root, account=self.account):
            raise PermissionError(
                0, f"the account {self.account.name!r}, which runs the servers, cannot reach it"
            )


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(process_id: str) -> bool:
    if not process_id.isdigit():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
