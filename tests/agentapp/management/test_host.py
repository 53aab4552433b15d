from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from agentapp.management.stack.accounts import service_account
from tests.agentapp.management.hosts import (
    ROOT,
    Run,
    command,
    free_port,
    is_running,
    make_clone,
    short_folder,
    started,
    wait_for,
)
from tests.pace import allowed

OWN = {"uvicorn", "worker", "beat", "runbots"}
ALL = OWN | {"postgres", "valkey-server"}


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[Run, Path, Path]]:
    """One running host for the tests that only look: the run, its clone and its data folder."""
    with short_folder() as folder:
        clone, data = make_clone(folder), folder / "data"
        other = "postgresql://other/db"
        with started(clone, data, port=free_port(), DATABASE_URL=other) as run:
            run.wait_until_ready()
            yield run, clone, data


def stack_values(data: Path) -> dict[str, str]:
    lines = (data / "stack.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def app_answers(data: Path) -> bool:
    try:
        with psycopg.connect(stack_values(data)["DATABASE_URL"], connect_timeout=2) as connection:
            return connection.execute("SELECT current_user").fetchone() == ("greenroom_app",)
    except psycopg.OperationalError:
        return False


def owner_url(data: Path) -> str:
    seen = json.loads((data / "seen-migrate.json").read_text())
    return str(seen["environment"]["DATABASE_URL"])


def has_all(run: Run) -> bool:
    return set(run.child_ids()) == ALL


def test_host_starts_everything_and_ends_with_the_link(clone: Path, data: Path) -> None:
    port = free_port()
    with started(clone, data, port=port) as run:
        link = run.wait_until_ready()
        assert link == f"http://localhost:{port}/login/fresh"
        assert has_all(run)
        assert app_answers(data)
        assert run.text().splitlines()[-1] == f"Greenroom is ready: {link}"
        assert "Traceback" not in run.text()


def test_ctrl_c_stops_everything_within_five_seconds(clone: Path, data: Path) -> None:
    with started(clone, data, port=free_port()) as run:
        run.wait_until_ready()
        below = run.descendants()
        began = time.monotonic()
        assert run.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < allowed(5)
        assert not [child for child in below if is_running(child)]
    log = (data / "logs" / "postgres.log").read_text()
    assert "received fast shutdown request" in log
    assert log.rstrip().endswith("database system is shut down")


def test_stopping_during_the_start_leaves_nothing_behind(clone: Path, data: Path) -> None:
    with started(clone, data, port=free_port()) as run:
        assert wait_for(lambda: "Starting Postgres" in run.text())
        assert wait_for(lambda: "postgres" in run.child_ids())
        below = run.descendants()
        assert run.stop(signal.SIGTERM) == 0
        assert not [child for child in below if is_running(child)]


def test_killing_the_supervisor_leaves_no_server_and_loses_no_data(clone: Path, data: Path) -> None:
    port = free_port()
    with started(clone, data, port=port) as run:
        run.wait_until_ready()
        with psycopg.connect(owner_url(data)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        below = run.descendants()
        run.process.kill()
        run.process.wait()
        assert wait_for(lambda: not [child for child in below if is_running(child)], seconds=10)
    with started(clone, data, port=port) as run:
        run.wait_until_ready(seconds=15)
        with psycopg.connect(owner_url(data)) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_start_right_after_a_kill_waits_for_the_old_servers(clone: Path, data: Path) -> None:
    with started(clone, data, port=free_port()) as run:
        run.wait_until_ready()
        run.process.kill()
        run.process.wait()
        with started(clone, data, port=free_port()) as second:
            second.wait_until_ready()
            assert has_all(second)
            assert app_answers(data)


def test_a_child_that_always_crashes_at_the_start_ends_the_host(clone: Path, data: Path) -> None:
    (clone / "uvicorn" / "__main__.py").write_text("raise SystemExit('no luck today')")
    with started(clone, data, port=free_port()) as run:
        assert run.process.wait(timeout=60) == 1
        assert f"web did not start. The end of {data}/logs/web.log says why." in run.text()
        assert "no luck today" in (data / "logs" / "web.log").read_text()


def test_a_failed_migration_ends_the_host(clone: Path, data: Path) -> None:
    (clone / "manage.py").write_text("raise SystemExit('a table is missing')")
    with started(clone, data, port=free_port()) as run:
        assert run.process.wait(timeout=60) == 1
        assert f"migrate failed (exit code 1). The end of {data}/logs/migrate.log" in run.text()


def test_second_host_on_the_same_folder_says_one_sentence(up: tuple[Run, Path, Path]) -> None:
    run, clone, data = up
    second = command(clone, "run", f"--port={free_port()}", f"--data={data}")
    assert second.returncode == 1
    assert second.stdout.splitlines() == [
        f"Greenroom is already running on {data} (process {run.process.pid}). Stop that one "
        "first, or choose another folder with `make run DATA=/folder`; `make login` prints a "
        "fresh login link."
    ]
    assert second.stderr == ""


def test_login_asks_the_running_host_for_a_fresh_link(up: tuple[Run, Path, Path]) -> None:
    run, clone, data = up
    asked = command(clone, "login", f"--data={data}")
    assert (asked.returncode, asked.stdout) == (0, f"{run.wait_until_ready()}\n")


@pytest.mark.parametrize("name", ["uvicorn", "postgres", "valkey-server", "worker"])
def test_a_killed_child_is_started_again(name: str, up: tuple[Run, Path, Path]) -> None:
    run, _, data = up
    before = run.child_ids()[name]
    os.kill(before, signal.SIGKILL)
    assert wait_for(lambda: has_all(run) and run.child_ids().get(name, before) != before)
    assert wait_for(lambda: app_answers(data))
    assert re.search(r"stopped \(signal 9\); starting it again in 0\.2 s", run.text())


def test_login_without_a_host_says_how_to_start_one(clone: Path, data: Path) -> None:
    asked = command(clone, "login", f"--data={data}")
    assert asked.returncode == 1
    assert asked.stdout.startswith(f"Greenroom is not running on {data}. Start it with `make run`")
    assert asked.stdout.count("\n") == 1


def test_a_taken_port_is_named_with_a_way_out(clone: Path, data: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        done = command(clone, "run", f"--port={port}", f"--data={data}")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"Port {port} is already in use. Choose another one with `make run PORT={port + 1}`."
    ]
    assert done.stderr == ""


def test_migrations_run_as_owner_and_the_rest_never_learns_its_password(
    up: tuple[Run, Path, Path],
) -> None:
    run, _, data = up
    assert "://greenroom_owner:" in owner_url(data)
    bots = json.loads((data / "seen-runbots.json").read_text())
    assert "://greenroom_app:" in bots["environment"]["DATABASE_URL"]
    credentials = json.loads((data / "credentials.json").read_text())
    for name in ("owner_password", "superuser_password"):
        assert credentials[name] not in json.dumps(bots)
        assert credentials[name] not in (data / "stack.env").read_text()
        assert credentials[name] not in run.text()


def test_no_secret_reaches_terminal_or_log(up: tuple[Run, Path, Path]) -> None:
    run, _, data = up
    shown = run.text() + "".join(path.read_text() for path in (data / "logs").iterdir())
    for secret in json.loads((data / "credentials.json").read_text()).values():
        assert secret not in shown
    assert "/login/" in run.text()
    assert "/login/" not in "".join(path.read_text() for path in (data / "logs").iterdir())


def test_secrets_are_for_their_account_only(up: tuple[Run, Path, Path]) -> None:
    _, _, data = up
    for name in ("credentials.json", "stack.env"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((data / "run").stat().st_mode) == 0o700


def test_every_child_runs_as_the_unprivileged_account(up: tuple[Run, Path, Path]) -> None:
    run, _, _ = up
    account = service_account(create=False)
    assert account.uid != 0
    for child in run.descendants():
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        assert set(status["Uid"].split()) == {str(account.uid)}
        assert set(status["Gid"].split()) == {str(account.gid)}
        if os.geteuid() == 0:
            assert status["Groups"].split() == []


def test_the_servers_have_no_tcp_port(up: tuple[Run, Path, Path]) -> None:
    run, _, _ = up
    for name in ("postgres", "valkey-server"):
        process = run.child_ids()[name]
        sockets = {str(path.readlink()) for path in Path(f"/proc/{process}/fd").iterdir()}
        listening = {
            f"socket:[{line.split()[9]}]"
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]
        }
        assert any(socket.startswith("socket:") for socket in sockets)
        assert not sockets & listening


def documented_commands() -> tuple[str, str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    dump, restore = [each for each in blocks if "pg_dump" in each or "pg_restore" in each]
    return dump, restore


def shell(commands: str, *, data: Path, folder: Path) -> None:
    commands = commands.replace("data=/folder", f"data={data}")
    commands = commands.replace(".venv/bin/python", sys.executable)
    subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )


def test_the_documented_backup_is_restored_on_another_folder(
    up: tuple[Run, Path, Path], clone: Path, data: Path
) -> None:
    _, _, original = up
    dump, restore = documented_commands()
    with psycopg.connect(owner_url(original)) as connection:
        connection.execute("CREATE TABLE memories AS SELECT '[1,2,3]'::vector AS what")
        connection.execute("GRANT SELECT ON memories TO greenroom_app")
    shell(dump, data=original, folder=clone)
    data.mkdir(mode=0o700)
    shutil.copy(original / "credentials.json", data / "credentials.json")
    with started(clone, data, port=free_port()) as run:
        run.wait_until_ready()
        set_up = dump[: dump.rindex("$bin/pg_dump")]
        shell(set_up + restore, data=data, folder=clone)
        with psycopg.connect(stack_values(data)["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT what::text FROM memories").fetchone() == ("[1,2,3]",)
            owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'memories'"
            assert connection.execute(owner).fetchone() == ("greenroom_owner",)
    for name in ("secret_key", "greenroom_keys"):
        kept = json.loads((data / "credentials.json").read_text())[name]
        assert kept == json.loads((original / "credentials.json").read_text())[name]


def test_a_deep_data_folder_still_works(clone: Path) -> None:
    data = clone.parent / ("deep" * 30) / "data"
    data.parent.mkdir(mode=0o755)
    with started(clone, data, port=free_port()) as run:
        run.wait_until_ready()
        assert app_answers(data)
        sockets = Path(stack_values(data)["REDIS_URL"].removeprefix("unix://")).parent
        assert run.stop() == 0
        assert not sockets.exists()


def test_a_pid_file_of_another_process_does_not_stop_the_start(clone: Path, data: Path) -> None:
    with started(clone, data, port=free_port()) as run:
        run.wait_until_ready()
        assert run.stop() == 0
    pid_file = data / "postgres" / "postmaster.pid"
    account = service_account(create=False)
    with subprocess.Popen(["sleep", "60"], **account.identity()) as other:
        pid_file.write_text(f"{other.pid}\n{data}/postgres\n1\n5432\n\n\n\n")
        account.take(pid_file, mode=0o600)
        with started(clone, data, port=free_port()) as run:
            run.wait_until_ready()
            assert "postgres stopped" not in run.text()
        other.kill()


def test_a_clone_in_a_private_folder_is_copied_and_stays_private(clone: Path, data: Path) -> None:
    private = clone.parent / "home"
    private.mkdir(mode=0o700)
    clone = clone.rename(private / "clone")
    with started(clone, data, port=free_port()) as run:
        # The stand-ins for uvicorn and Celery are no part of the code and are not copied.
        assert wait_for((data / "seen-runbots.json").exists)
        if service_account(create=False).is_current:
            assert "Copying" not in run.text()
        else:
            assert f"Copying the program to {data}/app: the account" in run.text()
            assert (data / "app" / "code" / "manage.py").read_text() == (
                (clone / "manage.py").read_text()
            )
    with started(clone, data, port=free_port()) as run:
        assert wait_for(lambda: "Starting web" in run.text())
        assert "Copying" not in run.text()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
