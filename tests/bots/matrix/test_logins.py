"""A login from the page's answers to its end, against the real homeserver."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from urllib.error import HTTPError

import pytest
from django.test import override_settings

from agentapp.drafts.models import Draft
from agentapp.foundation.errors import Unavailable
from agentapp.identity.models import Account
from agentapp.identity.platforms import WrongAnswer
from agentapp.identity.services.agents import archive_agent
from agentapp.identity.services.logins import LoginTaken, connect
from agentapp.identity.services.opening import open_login
from agentapp.intake.departures import end_login
from agentapp.notifications.models import Notification
from bots import host as hosting
from bots.bridge import Bridge
from bots.matrix.login import unpacked
from bots.matrix.offering import MatrixPlatform
from tests.bots.matrix.test_rooms import seen_as
from tests.bots.matrix.world import Member, answers, connected, health, matrix_host, membership_of
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def given(member: Member, synapse: Synapse, **more: str) -> dict[str, str]:
    """Return what somebody types into the form."""
    typed = {"user": member.user_id, "password": member.user.password, "token": ""}
    return {**typed, "homeserver": synapse.url, **more}


def gives_login(cast: Cast, member: Member, synapse: Synapse, **more: str) -> Account:
    return connect(
        agent_id=cast.ada.pk,
        platform="matrix",
        answers=given(member, synapse, **more),
        by=cast.root,
    )


@pytest.fixture
def no_homeserver() -> Iterator[str]:
    """The address of a web server that is something else."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>Welcome</h1>")

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("typed", "question", "said"),
    [
        ({"password": "wrong"}, "password", "does not accept this user and password"),
        ({"password": "", "token": "syt_wrong"}, "token", "does not know this token"),
        ({"password": ""}, "password", "Enter the password"),
        ({"homeserver": "http://127.0.0.1:9"}, "homeserver", "Nothing answers at"),
        ({"homeserver": "http://example.org"}, "homeserver", "Use https://"),
        ({"homeserver": "matrix.example.org/path"}, "homeserver", "homeserver's address"),
        ({"homeserver": "", "user": "ada"}, "user", "Write who it is"),
        ({"user": "@somebody:else.test"}, "password", "does not accept"),
    ],
)
def test_what_is_wrong_is_said_where_it_was_typed(
    synapse: Synapse, typed: dict[str, str], question: str, said: str
) -> None:
    member = Member(synapse, "ada")
    with pytest.raises(WrongAnswer, match=said) as caught:
        MatrixPlatform().prove(given(member, synapse, **typed), earlier="")
    assert caught.value.question == question


def test_a_website_is_told_from_a_homeserver(synapse: Synapse, no_homeserver: str) -> None:
    with pytest.raises(WrongAnswer, match="no Matrix homeserver") as caught:
        MatrixPlatform().prove(
            given(Member(synapse, "ada"), synapse, homeserver=no_homeserver), earlier=""
        )
    assert caught.value.question == "homeserver"


@pytest.mark.parametrize("where", ["", "localhost"])
def test_ones_own_network_needs_the_operators_word(synapse: Synapse, where: str) -> None:
    homeserver = synapse.url.replace("127.0.0.1", where) if where else synapse.url
    answers = given(Member(synapse, "ada"), synapse, homeserver=homeserver)
    closed = override_settings(MATRIX_ALLOW_PRIVATE=False)
    with closed, pytest.raises(WrongAnswer, match="MATRIX_ALLOW_PRIVATE=yes"):
        MatrixPlatform().prove(answers, earlier="")


def test_a_token_of_somebody_else_is_not_taken_for_ones_own(
    live_cast: Cast, synapse: Synapse
) -> None:
    ada, bob = Member(synapse, "ada"), Member(synapse, "bob")
    with pytest.raises(WrongAnswer, match=f"belongs to {bob.user_id}"):
        gives_login(live_cast, ada, synapse, password="", token=bob.user.token)


def test_a_limit_is_said_as_one(live_cast: Cast, synapse: Synapse) -> None:
    few = {"per_second": 0.001, "burst_count": 1}
    synapse.restart(rc_login={"address": few, "account": few, "failed_attempts": few})
    try:
        typed = given(Member(synapse, "ada"), synapse)
        MatrixPlatform().prove(typed, earlier="")
        with pytest.raises(Unavailable, match="of rest"):
            MatrixPlatform().prove(typed, earlier="")
    finally:
        synapse.restart()


def test_a_login_that_nobody_may_keep_is_logged_out_again(
    live_cast: Cast, synapse: Synapse
) -> None:
    ada = Member(synapse, "ada")
    gives_login(live_cast, ada, synapse)
    devices = ada.call("GET", "/devices")["devices"]
    name = ada.user_id[1:].partition(":")[0]
    with pytest.raises(LoginTaken):
        connect(
            agent_id=live_cast.bo.pk,
            platform="matrix",
            answers=given(ada, synapse, user=name),
            by=live_cast.root,
        )
    assert ada.call("GET", "/devices")["devices"] == devices


def test_a_lost_login_goes_on_as_the_same_device(live_cast: Cast, synapse: Synapse) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    room = ann.opens(ada.user_id)
    ada.joins(room)
    account = gives_login(live_cast, ada, synapse)
    device = unpacked(open_login(account_id=account.pk).secret).device_id

    async def work(bridge: Bridge) -> Draft:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ada.call, "POST", "/logout/all", {})
            await eventually(bridge, lambda: health(live_cast.ada)[0], "lost")
            assert await bridge.call(Notification.objects.filter(kind__startswith="login.").count)
            draft = await bridge.call(answers, live_cast.ada, room, "I was away")
            await bridge.call(partial(gives_login, live_cast, ada, synapse))
            await eventually(bridge, lambda: health(live_cast.ada), ("ok", ""), seconds=5)
            await eventually(bridge, lambda: status_of(draft), "published")
            return draft

    run(work)
    assert unpacked(open_login(account_id=account.pk).secret).device_id == device


@pytest.mark.parametrize("how", ["removed", "archived"])
def test_a_login_that_ends_leaves_its_rooms_and_logs_out(
    live_cast: Cast, synapse: Synapse, how: str
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    room = ann.opens(ada.user_id)
    ada.joins(room)
    account = gives_login(live_cast, ada, synapse)
    token = unpacked(open_login(account_id=account.pk).secret).token

    def ends() -> None:
        if how == "removed":
            end_login(account_id=account.pk, by=live_cast.root)
        else:
            archive_agent(agent_id=live_cast.ada.pk, by=live_cast.root)

    def state() -> str:
        return Account.objects.values_list("state", flat=True).get(pk=account.pk)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ends)
            await eventually(bridge, state, "ended")

    run(work)
    assert seen_as(ann, room, ada.user_id) == "decline"
    assert membership_of(live_cast.ada, room) == "left"
    account.refresh_from_db()
    assert (account.secret, account.lease_until) == ("", None)
    with pytest.raises(HTTPError):
        synapse.call("GET", "/_matrix/client/v3/account/whoami", token=token)


def test_a_homeserver_that_is_gone_does_not_keep_a_login_alive(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "FIRST_RETRY_SECONDS", 0.05)
    account = gives_login(live_cast, Member(synapse, "ada"), synapse)
    end_login(account_id=account.pk, by=live_cast.root)

    def state() -> str:
        return Account.objects.values_list("state", flat=True).get(pk=account.pk)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, state, "ended")

    synapse.stop()
    try:
        run(work)
    finally:
        synapse.start()
    assert "could not be told" in Notification.objects.get().text
