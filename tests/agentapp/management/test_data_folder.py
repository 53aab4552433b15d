from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentapp.config.env import default_data_folder
from agentapp.management.stack.accounts import ServiceAccount, service_account
from agentapp.management.stack.credentials import load_or_create_credentials
from agentapp.management.stack.data_folder import DataFolder
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.postgres import Postgres
from tests.agentapp.management.hosts import short_folder


@pytest.fixture
def account() -> ServiceAccount:
    return service_account(create=False)


@pytest.fixture
def data(account: ServiceAccount) -> Iterator[DataFolder]:
    with short_folder() as folder:
        yield DataFolder(folder / "data", account)


def refusal(data: DataFolder) -> str:
    with pytest.raises(StackError) as caught:
        data.prepare()
    return caught.value.message


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(data: DataFolder) -> None:
    data.root.mkdir(mode=0o755)
    (data.root / "thesis.txt").write_text("words")
    assert refusal(data) == (
        f"{data.root} holds something else than Greenroom's data. Choose an empty or a new folder "
        "with `make run DATA=/folder`."
    )
    assert stat.S_IMODE(data.root.stat().st_mode) == 0o755
    assert [path.name for path in data.root.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_refused(data: DataFolder) -> None:
    data.root.write_text("words")
    assert "Choose an empty or a new folder" in refusal(data)


def test_a_folder_below_a_file_is_refused(data: DataFolder) -> None:
    data.root.write_text("words")
    below = replace(data, root=data.root / "below")
    assert refusal(below) == (
        f"The data folder {below.root} cannot be used (Not a directory). Make it readable and "
        "writable for you, or choose another one with `make run DATA=/folder`."
    )


def test_servers_of_another_account_are_not_taken_over(
    data: DataFolder, account: ServiceAccount
) -> None:
    data.prepare()
    data.postgres.mkdir()
    somebody = replace(account, uid=account.uid + 1)
    message = refusal(replace(data, account=somebody))
    assert f"{data.postgres} belongs to another account" in message


def test_a_second_start_keeps_what_is_there(data: DataFolder) -> None:
    data.prepare()
    first = load_or_create_credentials(data.credentials)
    data.prepare()
    assert load_or_create_credentials(data.credentials) == first


def test_no_parent_of_the_data_folder_is_opened(data: DataFolder) -> None:
    private = data.root.parent / "private"
    private.mkdir(mode=0o700)
    inside = replace(data, root=private / "data")
    if data.account.is_current:
        inside.prepare()
    else:
        assert f"the account {data.account.name!r}, which runs the servers, cannot reach it" in (
            refusal(inside)
        )
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_children_cannot_replace_what_the_supervisor_wrote(data: DataFolder) -> None:
    data.prepare()
    mode = stat.S_IMODE(data.root.stat().st_mode)
    if data.account.is_current:
        assert mode == 0o700
    else:
        assert mode == 0o1770
        assert data.root.stat().st_uid == 0
        assert data.logs.stat().st_uid == 0


def test_damaged_credentials_are_reported_and_never_replaced(data: DataFolder) -> None:
    data.prepare()
    data.credentials.write_text('{"secret_key": "half')
    with pytest.raises(StackError, match=r"is damaged\. Put back a copy from a backup"):
        load_or_create_credentials(data.credentials)
    assert data.credentials.read_text() == '{"secret_key": "half'


def test_another_major_version_of_postgres_is_refused(
    data: DataFolder, account: ServiceAccount
) -> None:
    data.prepare()
    data.postgres.mkdir()
    (data.postgres / "PG_VERSION").write_text("17\n")
    server = Postgres(data.postgres, data.root / "run", account, Path("/nonexistent"))
    with pytest.raises(StackError) as caught:
        server.initialise(superuser_password="secret")
    assert caught.value.message == (
        f"{data.postgres} was made by PostgreSQL 17, and this version of Greenroom brings "
        "PostgreSQL 18. Choose another data folder with `make run DATA=/folder`, or move the data "
        "over as docs/operations.md describes."
    )


def test_a_folder_without_a_database_is_not_overwritten(
    data: DataFolder, account: ServiceAccount
) -> None:
    data.prepare()
    data.postgres.mkdir()
    (data.postgres / "base").touch()
    server = Postgres(data.postgres, data.root / "run", account, Path("/nonexistent"))
    with pytest.raises(StackError, match="is there but holds no database"):
        server.initialise(superuser_password="secret")
    assert (data.postgres / "base").exists()


def test_default_folder_follows_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_data_folder() == Path("/home/ada/.local/share/greenroom")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert default_data_folder() == Path("/srv/data/greenroom")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_folder() == Path("/var/lib/greenroom")


def test_the_children_are_never_root(account: ServiceAccount) -> None:
    assert account.uid != 0
    assert pwd.getpwuid(account.uid).pw_name == account.name
    if os.geteuid() == 0:
        assert account.identity() == {
            "user": account.uid,
            "group": account.gid,
            "extra_groups": [],
        }
