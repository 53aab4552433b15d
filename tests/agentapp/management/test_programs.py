from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentapp.management.stack.accounts import ServiceAccount
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.programs import Program, launch
from agentapp.management.stack.supervisor import Supervisor, run_to_end
from tests.agentapp.management.hosts import is_running, wait_for

STUBBORN = (
    "import os, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "below = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(below.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def program(folder: Path, code: str, *, grace_seconds: float = 0.3, name: str = "child") -> Program:
    here = ServiceAccount(name="me", uid=os.getuid(), gid=os.getgid(), is_current=True)
    return Program(
        name=name,
        arguments=(sys.executable, "-c", code),
        account=here,
        folder=folder,
        log=folder / f"{name}.log",
        environment={"SHOWN": "yes"},
        grace_seconds=grace_seconds,
    )


def test_a_child_sees_only_the_environment_it_is_given(tmp_path: Path) -> None:
    child = launch(program(tmp_path, "import os; print(sorted(os.environ))"))
    assert child.wait(timeout=20) == 0
    shown = set(eval((tmp_path / "child.log").read_text()))  # noqa: S307 - a list we printed
    assert shown - {"LC_CTYPE"} == {"SHOWN"}


def test_stopping_kills_a_stubborn_child_with_everything_below_it(tmp_path: Path) -> None:
    async def scenario() -> float:
        supervisor = Supervisor(lambda _: None)
        supervisor.start(program(tmp_path, STUBBORN))
        log = tmp_path / "child.log"
        assert wait_for(lambda: log.read_text().strip() != "")
        began = time.monotonic()
        await supervisor.stop_all(together=frozenset())
        return time.monotonic() - began

    took = asyncio.run(scenario())
    below = int((tmp_path / "child.log").read_text())
    assert 0.3 <= took < 2
    assert wait_for(lambda: not is_running(below), seconds=5)


def test_one_group_stops_together_and_the_rest_in_reverse_order(tmp_path: Path) -> None:
    leaves = (
        "import signal, sys, time\n"
        "def leave(*_):\n"
        "    time.sleep(0.5)\n"
        "    open({path!r}, 'a').write({name!r} + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    order = tmp_path / "order"

    async def scenario() -> float:
        supervisor = Supervisor(lambda _: None)
        for name in ("first", "second", "left", "right"):
            code = leaves.format(path=str(order), name=name)
            supervisor.start(program(tmp_path, code, grace_seconds=5, name=name))
        for name in ("first", "second", "left", "right"):
            log = tmp_path / f"{name}.log"
            assert wait_for(lambda log=log: log.read_text() != "")
        began = time.monotonic()
        await supervisor.stop_all(together=frozenset({"left", "right"}))
        return time.monotonic() - began

    took = asyncio.run(scenario())
    stopped = order.read_text().split()
    assert sorted(stopped[:2]) == ["left", "right"]
    assert stopped[2:] == ["second", "first"]
    assert took < 2.2  # three times half a second, not four


def test_the_death_of_the_supervisor_reaches_a_child(tmp_path: Path) -> None:
    parent = (
        "import os, pathlib, sys, time\n"
        "from agentapp.management.stack.accounts import ServiceAccount\n"
        "from agentapp.management.stack.programs import Program, launch\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "me = ServiceAccount('me', os.getuid(), os.getgid(), True)\n"
        "child = launch(Program('child', (sys.executable, '-c', 'import time; time.sleep(60)'),"
        " me, folder, folder / 'log'))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert is_running(child)
        process.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not is_running(child), seconds=5)


def test_output_of_a_failed_command_is_in_its_log(tmp_path: Path) -> None:
    failing = program(tmp_path, "import sys; sys.stderr.write('why'); sys.exit(3)")
    with pytest.raises(StackError, match=r"child failed \(exit code 3\)\. The end of .*child\.log"):
        asyncio.run(run_to_end(failing))
    assert (tmp_path / "child.log").read_text() == "why"


def test_output_of_a_command_is_returned_and_not_logged(tmp_path: Path) -> None:
    assert asyncio.run(run_to_end(program(tmp_path, "print('a link')"))) == "a link\n"
    assert (tmp_path / "child.log").read_text() == ""
