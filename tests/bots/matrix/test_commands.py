"""What an operator types: a login, and the answer to an invitation."""

from __future__ import annotations

import io
import sys
from functools import partial

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from agentapp.identity.models import Account, Identity
from agentapp.identity.services.opening import open_login
from bots.bridge import Bridge
from bots.matrix.login import unpacked
from tests.bots.matrix.world import Member, matrix_host, membership_of
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def typed(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(words + "\n"))


def log_in(
    monkeypatch: pytest.MonkeyPatch, synapse: Synapse, member: Member, **more: object
) -> str:
    typed(monkeypatch, member.user.token if more.get("token") else member.user.password)
    out = io.StringIO()
    call_command("matrix-login", "ada", member.user_id, homeserver=synapse.url, stdout=out, **more)
    return out.getvalue()


def test_a_password_becomes_a_login_that_stays_one_device(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Member(synapse, "ada")
    assert ada.user_id in log_in(monkeypatch, synapse, ada)
    account = Account.objects.get(platform="matrix")
    first = unpacked(open_login(account_id=account.pk).secret)
    log_in(monkeypatch, synapse, ada)
    again = unpacked(open_login(account_id=account.pk).secret)
    assert first.device_id == again.device_id
    assert ada.user.password not in account.secret
    assert Identity.objects.get(external_id=ada.user_id).agent == live_cast.ada


def test_a_token_does_as_well(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Member(synapse, "ada")
    log_in(monkeypatch, synapse, ada, token=True)
    account = Account.objects.get(platform="matrix")
    assert unpacked(open_login(account_id=account.pk).secret).token == ada.user.token


@pytest.mark.parametrize(
    ("agent", "password", "said"), [("nobody", "", "no agent"), ("ada", "wrong", "password")]
)
def test_what_is_wrong_is_said(
    live_cast: Cast,
    synapse: Synapse,
    monkeypatch: pytest.MonkeyPatch,
    agent: str,
    password: str,
    said: str,
) -> None:
    ada = Member(synapse, "ada")
    typed(monkeypatch, password)
    with pytest.raises(CommandError, match=said):
        call_command("matrix-login", agent, ada.user_id, homeserver=synapse.url)


def test_an_invitation_is_listed_and_accepted(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    log_in(monkeypatch, synapse, ada)
    room = ann.opens(ada.user_id, name="Tea")
    is_in = partial(membership_of, live_cast.ada, room)

    def accept() -> None:
        out = io.StringIO()
        call_command("invitations", stdout=out)
        number = out.getvalue().split("\t")[0]
        assert "Tea" in out.getvalue()
        call_command("invitations", accept=int(number), stdout=io.StringIO())
        with pytest.raises(CommandError, match="no open invitation"):
            call_command("invitations", decline=int(number))

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "invited")
            await bridge.call(accept)
            await eventually(bridge, is_in, "active")

    run(work)
