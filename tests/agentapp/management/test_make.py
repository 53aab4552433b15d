from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.agentapp.management.hosts import ROOT

CHROMIUM = ROOT / ".ci" / "chromium.py"


def run(path: Path) -> subprocess.CompletedProcess[str]:
    """Look for Chromium on a machine that has only the programs of one folder."""
    return subprocess.run(
        [sys.executable, str(CHROMIUM)],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def write_program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_an_installed_browser_is_enough(tmp_path: Path) -> None:
    write_program(tmp_path / "chromium", "exit 1")
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_browser_that_may_not_be_installed_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        "The browser tests need Chromium, and it is not installed and this account may not install "
        "it. Install it as root with `apt-get install chromium fonts-liberation`, then run "
        "`make test` again.\n"
    )
    assert done.stderr == ""


def test_a_missing_browser_is_installed_where_that_is_allowed(tmp_path: Path) -> None:
    write_program(tmp_path / "apt-get", f'echo "$@" >> {tmp_path}/asked')
    write_program(tmp_path / "sudo", 'shift; exec "$@"')
    (tmp_path / "env").symlink_to(shutil.which("env") or "")
    (tmp_path / "true").symlink_to(shutil.which("true") or "")
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text().splitlines() == [
        "update -q",
        "install -y -q --no-install-recommends chromium fonts-liberation",
    ]


def test_a_failing_package_manager_is_shown_and_explained(tmp_path: Path) -> None:
    write_program(tmp_path / "apt-get", "echo no network; exit 100")
    write_program(tmp_path / "sudo", 'shift; exec "$@"')
    (tmp_path / "env").symlink_to(shutil.which("env") or "")
    (tmp_path / "true").symlink_to(shutil.which("true") or "")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "no network" in done.stdout
    assert "Debian's packages could not be installed (see above)" in done.stdout


def test_integration_runs_exactly_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[-1] == "exec make test"
    assert [line for line in lines if "make" in line] == lines[-1:]


def test_help_names_every_command_that_people_type() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    named = re.findall(r"^  make (\w+) ", shown, re.MULTILINE)
    expected = "help run login setup test check fix bench faults lock"
    assert named == expected.split()


def test_every_locked_package_has_exactly_one_version() -> None:
    names: list[str] = []
    for lock in ("requirements.txt", "requirements-dev.txt", "requirements-weights.txt"):
        for line in (ROOT / lock).read_text().splitlines():
            if line and not line.startswith("#"):
                found = re.fullmatch(r"([\w.\-]+)==[\w.!+]+( --hash=sha256:[0-9a-f]{64})?", line)
                assert found, line
                names.append(found.group(1).lower().replace("_", "-"))
    assert len(names) == len(set(names))


def test_everything_asked_for_is_locked() -> None:
    for source, locks in (
        ("requirements.in", ["requirements.txt"]),
        ("requirements-dev.in", ["requirements-dev.txt", "requirements.txt"]),
    ):
        locked = "".join((ROOT / lock).read_text() for lock in locks).lower().replace("_", "-")
        for line in (ROOT / source).read_text().split():
            name, _, version = (
                re.sub(r"\[.*?\]", "", line).lower().replace("_", "-").partition("==")
            )
            assert f"\n{name}=={version}" in locked, line
