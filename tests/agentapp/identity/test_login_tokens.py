"""One token is on this host once, whoever enters it and under whatever name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings

from agentapp.foundation import clock
from agentapp.foundation.secrets import KeysMissing, marks
from agentapp.identity import platforms
from agentapp.identity.models import Account, Agent
from agentapp.identity.platforms import Proven
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.logins import LoginTaken, add_login, connect, ended
from agentapp.identity.services.opening import keep_secret
from tests.cast import SPEC, Cast

KEY_ONE, KEY_TWO = (f"{name}:{letter * 43}=" for name, letter in (("k1", "A"), ("k2", "B")))


def give(agent: Agent, name: str, token: str) -> Account:
    return add_login(
        agent_id=agent.pk,
        platform="elsewhere",
        external_id=name,
        name="",
        secret=f"the secret with {token}",
        token=token,
        by=agent.owner,
    )


def of_olga(cast: Cast) -> Agent:
    return create_agent(owner=cast.olga, workspace=cast.elsewhere, name="Eve", spec=SPEC)


def test_a_token_that_is_here_is_refused_in_any_workspace_without_saying_whose(cast: Cast) -> None:
    give(cast.ada, "@ada:one", "token-1")
    with pytest.raises(LoginTaken) as refused:
        give(of_olga(cast), "@eve:two", "token-1")

    assert refused.value.message.startswith("Another agent has this login already.")
    for word in ("Ada", "@ada:one", "Home", "token-1"):
        assert word not in refused.value.message
    assert Account.objects.filter(platform="elsewhere").count() == 1


def test_the_same_login_takes_its_own_token_again_and_a_new_one(cast: Cast) -> None:
    give(cast.ada, "@ada:one", "token-1")
    give(cast.ada, "@ada:one", "token-1")
    give(cast.ada, "@ada:one", "token-2")
    taken_over = give(of_olga(cast), "@eve:two", "token-1")  # which is nobody's any more
    assert taken_over.external_id == "@eve:two"


def test_a_login_that_ended_frees_its_token(cast: Cast) -> None:
    account = give(cast.ada, "@ada:one", "token-1")
    Account.objects.filter(pk=account.pk).update(state=Account.State.ENDING)
    account.refresh_from_db()
    assert ended(account_id=account.pk, fence=account.fence)
    assert give(of_olga(cast), "@eve:two", "token-1").pk != account.pk


def test_a_renewed_token_is_the_one_that_is_taken(cast: Cast) -> None:
    account = give(cast.ada, "@ada:one", "token-1")
    Account.objects.filter(pk=account.pk).update(
        fence=1, lease_until=clock.now() + timedelta(seconds=9)
    )
    assert keep_secret(account_id=account.pk, fence=1, secret="the new one", token="token-2")
    with pytest.raises(LoginTaken):
        give(of_olga(cast), "@eve:two", "token-2")


def test_the_stored_mark_is_keyed_and_holds_nothing_of_the_token(cast: Cast) -> None:
    give(cast.ada, "@ada:one", "token-1")
    stored = Account.objects.get(platform="elsewhere").secret_mark
    assert "token-1" not in stored
    with override_settings(GREENROOM_KEYS=KEY_ONE):
        assert marks("token-1") != [stored]
    with override_settings(GREENROOM_KEYS=""), pytest.raises(KeysMissing):
        marks("token-1")


def test_what_was_marked_under_an_earlier_key_is_known_again(cast: Cast) -> None:
    with override_settings(GREENROOM_KEYS=KEY_ONE):
        give(cast.ada, "@ada:one", "token-1")
    with override_settings(GREENROOM_KEYS=f"{KEY_TWO},{KEY_ONE}"), pytest.raises(LoginTaken):
        give(of_olga(cast), "@eve:two", "token-1")


def test_web_rooms_have_no_token_and_any_number_of_logins(cast: Cast) -> None:
    assert set(Account.objects.values_list("secret_mark", flat=True)) == {""}


def test_two_at_the_same_moment_give_one_login(live_cast: Cast) -> None:
    agents = [live_cast.ada, of_olga(live_cast)]
    start, refused = threading.Barrier(2), list[Exception]()

    def enter(agent: Agent) -> None:
        start.wait()
        try:
            give(agent, f"@{agent.slug}:one", "token-1")
        except LoginTaken as error:
            refused.append(error)
        connection.close()

    threads = [threading.Thread(target=enter, args=(agent,)) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert Account.objects.filter(platform="elsewhere").count() == 1


class Elsewhere:
    """A platform that says of any token who it is, another one each time."""

    code, title, lead, invite_hint, questions = "elsewhere", "Elsewhere", "", "", ()

    def __init__(self) -> None:
        self.ended: list[str] = []
        self._count = 0

    def handle_of(self, answers: Mapping[str, str]) -> str:
        return ""

    def prove(self, answers: Mapping[str, str], *, earlier: str) -> Proven:
        self._count += 1
        return Proven(f"@{self._count}:one", answers["token"], token=answers["token"])

    def end(self, secret: str) -> None:
        self.ended.append(secret)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    platform = Elsewhere()
    platforms.offer(platform)
    yield platform
    del platforms._KNOWN[platform.code]


def test_a_refused_token_stays_valid_for_the_login_that_has_it(
    live_cast: Cast, elsewhere: Elsewhere
) -> None:
    answers = {"token": "token-1"}
    connect(agent_id=live_cast.ada.pk, platform="elsewhere", answers=answers, by=live_cast.root)
    with pytest.raises(LoginTaken):
        connect(agent_id=live_cast.bo.pk, platform="elsewhere", answers=answers, by=live_cast.root)
    assert elsewhere.ended == []
