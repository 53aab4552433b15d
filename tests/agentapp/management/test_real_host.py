from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.agentapp.management.hosts import (
    ROOT,
    Run,
    command,
    free_port,
    is_running,
    short_folder,
    started,
)
from tests.pace import allowed

OWN = {"uvicorn", "worker", "beat", "runbots"}
SETTLED_SECONDS = 6.0  # longer than any of our processes needs to find out that it cannot run
SECOND_START_SECONDS = 10.0
STOP_SECONDS = 5.0


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, int]]:
    """A data folder and a port for everything in this file."""
    with short_folder() as folder:
        yield folder / "data", free_port()


@pytest.fixture(scope="module")
def first(place: tuple[Path, int]) -> Iterator[Run]:
    """The first start of the real program."""
    data, port = place
    with started(ROOT, data, port=port) as run:
        run.wait_until_ready(seconds=120)
        yield run


def test_the_real_program_starts_and_none_of_its_processes_falls_over(first: Run) -> None:
    time.sleep(SETTLED_SECONDS)
    assert set(first.child_ids()) >= OWN
    assert "starting it again" not in first.text()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE greenroom_clock SET shift = '1 day'",
        "INSERT INTO greenroom_clock DEFAULT VALUES",
        "DELETE FROM greenroom_clock",
        "UPDATE agentapp_event SET payload = '{}'",
        "DELETE FROM agentapp_event",
        "DROP TABLE agentapp_event",
        "CREATE TABLE intruder ()",
    ],
)
def test_what_no_process_may_do_is_refused_by_the_database(first: Run, change: str) -> None:
    worker = Path(f"/proc/{first.child_ids()['worker']}/environ").read_bytes().decode()
    url = dict(part.partition("=")[::2] for part in worker.split("\0"))["DATABASE_URL"]
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(change)


def test_the_printed_link_opens_a_page_with_a_button(first: Run, place: tuple[Path, int]) -> None:
    link = first.wait_until_ready()
    assert link.startswith(f"http://localhost:{place[1]}/")
    with urllib.request.urlopen(link, timeout=20) as answer:  # noqa: S310 - our own host
        page = answer.read().decode()
    assert answer.status == 200
    assert "<button" in page


def test_a_fresh_link_differs_from_the_first(first: Run, place: tuple[Path, int]) -> None:
    asked = command(ROOT, "login", f"--data={place[0]}")
    assert (asked.returncode, asked.stderr) == (0, "")
    fresh = asked.stdout.strip()
    assert fresh.startswith(f"http://localhost:{place[1]}/")
    assert fresh != first.wait_until_ready()


def test_stop_and_second_start_are_quick(first: Run, place: tuple[Path, int]) -> None:
    data, port = place
    below = first.descendants()
    began = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - began < allowed(STOP_SECONDS)
    assert not [child for child in below if is_running(child)]
    began = time.monotonic()
    with started(ROOT, data, port=port) as second:
        second.wait_until_ready(seconds=60)
        assert time.monotonic() - began < allowed(SECOND_START_SECONDS)
