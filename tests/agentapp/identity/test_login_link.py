from __future__ import annotations

import logging
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from agentapp.events.models import Event
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import NotFound
from agentapp.identity import queries
from agentapp.identity.models import LoginLink, Seat, User, Workspace
from agentapp.identity.services import LinkSpent, consume_login_link, make_login_link
from tests.town import make_user


def test_the_first_link_makes_the_admin_and_a_workspace(db: None) -> None:
    user = consume_login_link(token=make_login_link())

    assert (user.username, user.is_superuser, user.is_staff) == ("admin", True, True)
    assert not user.has_usable_password()
    workspace = queries.real_workspace_of(user)
    assert workspace is not None
    assert queries.roles_of(user, workspace) == {Seat.Role.OWNER, Seat.Role.MODERATOR}


def test_a_later_link_logs_the_same_admin_in(db: None) -> None:
    first = consume_login_link(token=make_login_link())

    assert consume_login_link(token=make_login_link()) == first
    assert Workspace.objects.count() == 1


def test_an_admin_of_another_name_is_the_one_who_is_logged_in(db: None) -> None:
    root = make_user("Root", is_superuser=True)

    assert consume_login_link(token=make_login_link()) == root
    assert User.objects.count() == 1


def test_a_link_works_once(db: None) -> None:
    token = make_login_link()
    consume_login_link(token=token)

    with pytest.raises(LinkSpent):
        consume_login_link(token=token)


def test_a_link_ends_after_an_hour(db: None) -> None:
    token = make_login_link()
    LoginLink.objects.update(expires_at=GreenroomNow() - timedelta(seconds=1))

    assert not queries.login_link_is_open(token=token)
    with pytest.raises(LinkSpent):
        consume_login_link(token=token)
    assert not User.objects.exists()


def test_looking_at_a_link_does_not_use_it_up(db: None) -> None:
    token = make_login_link()

    assert all(queries.login_link_is_open(token=token) for _ in range(3))
    consume_login_link(token=token)
    assert not queries.login_link_is_open(token=token)


@pytest.mark.parametrize("token", ["", "nothing", "\x00", "x" * 10_000])
def test_a_made_up_link_is_not_found(db: None, token: str) -> None:
    with pytest.raises(NotFound):
        consume_login_link(token=token)


def test_the_token_is_on_the_terminal_only(db: None, caplog: pytest.LogCaptureFixture) -> None:
    out = StringIO()
    with caplog.at_level(logging.DEBUG):
        call_command("login-link", stdout=out)

    line = out.getvalue().strip()
    token = line.rpartition("/start/")[2].removesuffix("/")
    assert line.startswith("http://localhost:")
    assert consume_login_link(token=token).is_superuser
    assert token not in caplog.text
    assert not LoginLink.objects.filter(token_hash=token).exists()
    assert token not in str(list(Event.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_exactly_one_gets_in() -> None:
    token = make_login_link()
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def use() -> None:
        start.wait(timeout=10)
        try:
            consume_login_link(token=token)
            outcomes.append("in")
        except LinkSpent:
            outcomes.append("spent")
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert sorted(outcomes) == ["in", *["spent"] * 5]
    assert Workspace.objects.count() == 1
