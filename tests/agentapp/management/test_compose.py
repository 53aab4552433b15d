from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml

from agentapp.management.stack import commands, roles
from agentapp.management.stack.accounts import service_account
from agentapp.management.stack.valkey import Valkey
from tests.services import SUPERUSER_URL

ROOT = Path(__file__).resolve().parents[3]
WEB = commands.web(host="0.0.0.0", port=8000)  # noqa: S104 - inside a container


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    found: dict[str, dict[str, Any]] = loaded["services"]
    return found


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("migrate", commands.MIGRATE),
        ("web", WEB),
        ("worker", commands.WORKER),
        ("beat", commands.beat(schedule="/data/beat-schedule")),
        ("bots", commands.BOTS),
    ],
)
def test_containers_run_what_the_supervisor_runs(
    name: str, arguments: tuple[str, ...], services: dict[str, dict[str, Any]]
) -> None:
    assert services[name]["command"] == ["python", *arguments]


def test_the_image_serves_the_web_by_default() -> None:
    last = (ROOT / "Dockerfile").read_text().strip().splitlines()[-1]
    assert json.loads(last.removeprefix("CMD ")) == ["python", *WEB]


def test_the_broker_has_the_flags_of_the_embedded_one(
    services: dict[str, dict[str, Any]],
) -> None:
    embedded = Valkey(Path("/d"), Path("/s"), service_account(create=False), Path("valkey-server"))
    arguments = list(embedded.program(log=Path("/l")).arguments)
    for local in ("--port", "--daemonize", "--unixsocket", "--unixsocketperm", "--dir"):
        at = arguments.index(local)
        del arguments[at : at + 2]
    assert services["valkey"]["command"] == arguments


def test_only_migrations_know_the_owner(services: dict[str, dict[str, Any]]) -> None:
    knowing = {name for name, service in services.items() if "OWNER_PASSWORD" in str(service)}
    assert knowing == {"roles", "migrate"}
    superuser = {name for name, one in services.items() if "SUPERUSER_PASSWORD" in str(one)}
    assert superuser == {"postgres", "roles"}


def test_only_the_web_is_published_and_to_this_machine_only(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_our_processes_are_reaped_restarted_and_without_privileges(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in ("web", "worker", "beat", "bots"):
        service = services[name]
        assert service["init"] is True
        assert service["restart"] == "unless-stopped"
        assert service["cap_drop"] == ["ALL"]
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert re.search(r"^USER greenroom$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_printed_credentials_fill_every_variable_of_the_file() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "agentapp.management.stack.credentials"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.split("=", 1)[0] for line in printed.stdout.splitlines()}
    wanted = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert wanted - names == {"PUBLIC_URL"}


def test_roles_of_a_running_server_are_prepared_as_often_as_wanted() -> None:
    passwords = {
        "OWNER_PASSWORD": urlsplit(os.environ["DATABASE_OWNER_URL"]).password or "",
        "APP_PASSWORD": urlsplit(os.environ["DATABASE_URL"]).password or "",
    }
    for _ in range(2):
        done = prepare(passwords | {"SUPERUSER_URL": os.environ[SUPERUSER_URL]})
        assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (roles.APP,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")


def test_neither_role_is_more_than_it_has_to_be() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls"
            " FROM pg_roles WHERE rolname LIKE 'greenroom%' ORDER BY 1"
        ).fetchall()
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    assert found == [(roles.APP, False), (roles.OWNER, False)]
    assert owners == [(roles.OWNER,)]


def test_an_unreachable_server_is_one_line() -> None:
    done = prepare(
        {
            "SUPERUSER_URL": "postgresql://nobody@127.0.0.1:1/x",
            "OWNER_PASSWORD": "o",
            "APP_PASSWORD": "a",
        }
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The database server refused: ")
    assert "Traceback" not in done.stderr


def test_preparing_without_a_password_says_which_is_missing() -> None:
    done = prepare({"SUPERUSER_URL": "postgresql://nobody@127.0.0.1:1/x"})
    assert (done.returncode, done.stderr) == (1, "The environment lacks OWNER_PASSWORD.\n")


def prepare(extra: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentapp.management.stack.roles"],
        cwd=ROOT,
        env=os.environ | extra,
        capture_output=True,
        text=True,
        check=False,
    )
