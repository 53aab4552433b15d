"""A throw-away Postgres and Valkey for one pytest run, started before Django reads its settings.

Loaded with `-p tests.services`. Tests run as `greenroom_app`, as the product does. Every worker of
pytest-xdist has servers of its own: live notices do not keep to a numbered Valkey database.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from agentapp.management.stack import copies, roles
from agentapp.management.stack.accounts import service_account
from agentapp.management.stack.postgres import SUPERUSER, Postgres
from agentapp.management.stack.programs import Program, kill_group, launch
from agentapp.management.stack.valkey import Valkey
from tests import emptying, template
from tests.emptying import SUPERUSER_URL

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0
# Nothing in a test survives the run, so nothing has to reach the disk.
FAST_AND_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class ServiceError(Exception):
    """A server of the test run did not start; the message holds the end of its log."""


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Have both servers running and named in the environment before any settings load."""
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    os.environ.update(stack.enter_context(running_services()))
    os.environ["LLM_ALLOW_REQUESTS"] = "no"  # a test that asks a real provider would cost money
    return (yield)


@pytest.fixture(scope="session")
def django_db_setup() -> Iterator[None]:
    """Leave the database as it is: it was made and migrated before the run."""
    from django.test import TransactionTestCase  # noqa: PLC0415 - settings load after this module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield
    emptying.stop()


def _empty(_case: object) -> None:
    """Stand in for Django's way to empty the database after a test that commits."""
    emptying.empty_all_tables()


@contextmanager
def running_services(
    settings: tuple[str, ...] = FAST_AND_FORGETFUL,
) -> Iterator[dict[str, str]]:
    """Run both servers and a migrated database; yield the environment that reaches them.

    `settings` are Postgres settings; a measurement passes none, so that commits reach the disk.
    """
    account = service_account(create=False)
    folder = Path(tempfile.mkdtemp(prefix="greenroom-test-"))
    try:
        for name in ("", "valkey", "sockets"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
            account.take(folder / name, mode=0o700)
        binaries, valkey_binary = copies.server_binaries(account=account, spare=folder / "bin")
        sockets = folder / "sockets"
        postgres = Postgres(folder / "postgres", sockets, account, binaries)
        valkey = Valkey(folder / "valkey", sockets, account, valkey_binary)
        server = postgres.program(log=folder / "postgres.log", settings=settings)
        broker = valkey.program(log=folder / "valkey.log", is_durable=False)
        passwords = template.restore(postgres.folder, account=account)
        if passwords is None:
            passwords = _build(postgres, server)
            template.save(postgres.folder, passwords)
        with _running(server), _running(broker):
            yield _addresses(postgres, passwords) | {
                "REDIS_URL": valkey.url(),
                "GREENROOM_DATA": str(folder),
                "SECRET_KEY": secrets.token_urlsafe(48),
                "GREENROOM_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(postgres: Postgres, server: Program) -> dict[str, str]:
    """Make a migrated database in a new data folder; return the passwords of its roles."""
    roles_of_ours = (SUPERUSER, roles.OWNER, roles.APP)
    passwords = {role: secrets.token_urlsafe(24) for role in roles_of_ours}
    postgres.initialise(superuser_password=passwords[SUPERUSER])
    with _running(server):
        addresses = _addresses(postgres, passwords)
        roles.prepare_database(
            superuser_url=addresses[SUPERUSER_URL],
            owner_password=passwords[roles.OWNER],
            app_password=passwords[roles.APP],
        )
        _migrate(addresses)
        with psycopg.connect(addresses["DATABASE_OWNER_URL"], autocommit=True) as connection:
            # Only a test may move the clock.
            connection.execute(
                sql.SQL("GRANT UPDATE ON greenroom_clock TO {}").format(sql.Identifier(roles.APP))
            )
    return passwords


def _addresses(postgres: Postgres, passwords: dict[str, str]) -> dict[str, str]:
    def url(role: str, database: str) -> str:
        return postgres.url(role=role, password=passwords[role], database=database)

    return {
        "DATABASE_URL": url(roles.APP, roles.DATABASE),
        "DATABASE_OWNER_URL": url(roles.OWNER, roles.DATABASE),
        SUPERUSER_URL: url(SUPERUSER, "postgres"),
    }


def _migrate(environment: dict[str, str]) -> None:
    owner = environment | {"DATABASE_URL": environment["DATABASE_OWNER_URL"]}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"],
        check=False,
        cwd=ROOT,
        env=os.environ | owner,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ServiceError(f"`manage.py migrate` failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _running(program: Program) -> Iterator[None]:
    """Keep one server running for the length of the block."""
    process = launch(program)
    try:
        _wait_until_ready(program, process)
        yield
    finally:
        process.send_signal(program.stop_signal)
        try:
            process.wait(timeout=program.grace_seconds)
        except subprocess.TimeoutExpired:
            kill_group(process)
            process.wait()


def _wait_until_ready(program: Program, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not program.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            log = program.log.read_text(encoding="utf-8", errors="replace")
            raise ServiceError(f"{program.name} did not start:\n{log[-2000:]}")
        time.sleep(0.02)
