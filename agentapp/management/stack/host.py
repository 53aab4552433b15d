"""One embedded host: what it consists of, in which order it starts and stops."""

from __future__ import annotations

import asyncio
import errno
import http.client
import shutil
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from agentapp.management.stack import commands, postgres, roles, valkey
from agentapp.management.stack.accounts import service_account
from agentapp.management.stack.credentials import (
    Credentials,
    load_or_create_credentials,
    write_environment,
)
from agentapp.management.stack.data_folder import DataFolder
from agentapp.management.stack.environment_variables import child_environment
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.installation import Installation, installation_for
from agentapp.management.stack.programs import Program, always
from agentapp.management.stack.supervisor import Keeper, Supervisor, run_to_end

BIND_HOST = "127.0.0.1"
READY_SECONDS = 60.0
PROBE_TIMEOUT_SECONDS = 2.0
# They hold no truth and may be killed at any instruction, so nobody waits for them in turn.
STOPPED_TOGETHER = frozenset({"web", "worker", "beat", "bots"})

Report = Callable[[str], None]


@dataclass(frozen=True)
class Host:
    """Everything that is known before the first child starts."""

    port: int
    data: DataFolder
    lock: int
    installation: Installation
    credentials: Credentials
    database: postgres.Postgres
    broker: valkey.Valkey
    report: Report

    def settings(self) -> dict[str, str]:
        """Return what every process, and a command started beside them, must know."""
        return {
            "GREENROOM_DATA": str(self.data.root),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url(roles.APP, self.credentials.app_password),
            "REDIS_URL": self.broker.url(),
            "SECRET_KEY": self.credentials.secret_key,
            "GREENROOM_KEYS": self.credentials.greenroom_keys,
        }

    def database_url(self, role: str, password: str) -> str:
        """Return the address of our database for one role."""
        return self.database.url(role=role, password=password, database=roles.DATABASE)

    def program(
        self,
        name: str,
        arguments: tuple[str, ...],
        *,
        is_ready: Callable[[], bool] = always,
        extra: Mapping[str, str] | None = None,
    ) -> Program:
        """Return one of our own processes."""
        values = self.settings() | dict(extra or {})
        return Program(
            name=name,
            arguments=self.installation.command(arguments),
            account=self.data.account,
            folder=self.installation.folder,
            log=self.data.logs / f"{name}.log",
            environment=child_environment(values, account=self.data.account, home=self.data.root),
            is_ready=is_ready,
        )


def prepare_host(*, port: int, data: Path, report: Report) -> Host:
    """Check what can be checked and make what is missing, before any child starts.

    Raises:
        StackError: The port is taken, the folder cannot be used, or another host runs on it.
    """
    account = service_account(create=True)
    folder = DataFolder(root=data, account=account)
    folder.prepare()
    lock = folder.lock(report)
    refuse_taken_port(port)
    report(f"Data folder: {data}" + ("" if account.is_current else f", account: {account.name}"))
    installation = installation_for(account, copy=folder.program_copy, report=report)
    sockets = folder.fresh_socket_folder()
    return Host(
        port=port,
        data=folder,
        lock=lock,
        installation=installation,
        credentials=load_or_create_credentials(folder.credentials),
        database=_database(folder, sockets, installation),
        broker=_broker(folder, sockets, installation),
        report=report,
    )


def refuse_taken_port(port: int) -> None:
    """Say which port is taken, before a server's traceback does.

    Raises:
        StackError: Something listens there, or this account may not.
    """
    with socket.socket(socket.AF_INET) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((BIND_HOST, port))
        except OSError as error:
            reason = "is already in use" if error.errno == errno.EADDRINUSE else "cannot be used"
            raise StackError(
                f"Port {port} {reason}. Choose another one with `make run PORT={port + 1}`."
            ) from error


async def run_host(host: Host) -> int:
    """Start everything, keep it running until a signal, stop everything.

    Returns:
        The exit code: 0 after a signal, 1 when the host could not start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    supervisor = Supervisor(host.report)
    work = asyncio.create_task(_start_and_watch(host, supervisor))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return 0
        await work
    except (StackError, OSError) as error:
        host.report(error.message if isinstance(error, StackError) else f"{error}")
    finally:
        stopped.cancel()
        work.cancel()
        await asyncio.wait({work})
        host.report("Stopping")
        await supervisor.stop_all(together=STOPPED_TOGETHER)
        shutil.rmtree(host.database.sockets, ignore_errors=True)
        host.report("Stopped. Your data is safe in " + str(host.data.root))
    return 1


async def _start_and_watch(host: Host, supervisor: Supervisor) -> None:
    await _start_servers(host, supervisor)
    host.report("Bringing the database up to date")
    await run_to_end(_migrate(host))
    host.report("Starting web, worker, beat and bots")
    web, *others = own_programs(host)
    serving = supervisor.start(web)
    # The person waits for the page and the link; the rest would only slow both down.
    link = await run_to_end(login_link(host))
    for program in others:
        supervisor.start(program)
    await _up(serving)
    host.report(f"Greenroom is ready: {link.strip()}")
    await supervisor.cap_logs()


async def _start_servers(host: Host, supervisor: Supervisor) -> None:
    database = host.database
    if not database.folder.exists():
        host.report("Creating the database")
    database.initialise(superuser_password=host.credentials.superuser_password)
    database.remove_stale_pid_file()
    host.report("Starting Postgres")
    lock = (host.lock,)
    server = database.program(log=host.data.logs / "postgres.log", inherited_files=lock)
    await _up(supervisor.start(server))
    _prepare_database(host)
    host.report("Starting Valkey")
    broker = host.broker.program(log=host.data.logs / "valkey.log", inherited_files=lock)
    await _up(supervisor.start(broker))
    write_environment(host.data.stack_file, host.settings(), account=host.data.account)


def _prepare_database(host: Host) -> None:
    credentials = host.credentials
    try:
        roles.prepare_database(
            superuser_url=host.database.url(
                role=postgres.SUPERUSER,
                password=credentials.superuser_password,
                database="postgres",
            ),
            owner_password=credentials.owner_password,
            app_password=credentials.app_password,
        )
    except psycopg.Error as error:
        raise StackError(
            f"The database refused to be prepared ({str(error).strip()}). If "
            f"{host.data.credentials} was replaced, put the one back that belongs to this folder."
        ) from error


async def _up(keeper: Keeper) -> None:
    await keeper.wait_until_ready(patience_seconds=READY_SECONDS)


def own_programs(host: Host) -> list[Program]:
    """Return our own long-running processes, the web server first."""
    web = commands.web(host=BIND_HOST, port=host.port)
    beat = commands.beat(schedule=str(host.data.root / "beat-schedule"))
    return [
        host.program("web", web, is_ready=lambda: answers_http(host.port)),
        host.program("worker", commands.WORKER),
        host.program("beat", beat),
        host.program("bots", commands.BOTS),
    ]


def login_link(host: Host) -> Program:
    """Return the command that prints a one-time login link."""
    return host.program("login-link", commands.LOGIN_LINK)


def _migrate(host: Host) -> Program:
    owner = host.database_url(roles.OWNER, host.credentials.owner_password)
    return host.program(
        "migrate", commands.MIGRATE, extra={"DATABASE_URL": owner, "DATABASE_OWNER_URL": owner}
    )


def answers_http(port: int) -> bool:
    """Return whether the web server says that it lives."""
    connection = http.client.HTTPConnection(BIND_HOST, port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/live", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _database(folder: DataFolder, sockets: Path, installation: Installation) -> postgres.Postgres:
    binaries = installation.environment_path(postgres.installed_binaries())
    return postgres.Postgres(folder.postgres, sockets, folder.account, binaries)


def _broker(folder: DataFolder, sockets: Path, installation: Installation) -> valkey.Valkey:
    binary = installation.environment_path(valkey.installed_binary())
    return valkey.Valkey(folder.valkey, sockets, folder.account, binary)
