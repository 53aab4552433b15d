"""A homeserver behind a line that drips: nobody else waits for it, and what is sent shows once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from unittest import mock
from urllib.parse import urlsplit

import pytest

from agentapp.drafts.models import Outbound
from agentapp.drafts.publication import settling
from agentapp.identity.models import Agent
from agentapp.identity.services.logins import add_login
from bots import delivery
from bots.bridge import Bridge
from bots.matrix.login import packed
from bots.matrix.transport import Login
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    membership_of,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse
from tests.faults.proxy import Proxy
from tests.faults.roles import HASTE

BYTES_PER_SECOND = 300  # a request alone is longer than a second's worth
SEND_SECONDS = 1.0  # that one attempt gets
SAID = 5  # messages on either side


@pytest.fixture
def line(synapse: Synapse) -> Iterator[Proxy]:
    """The line between Ada's host and her homeserver."""
    where = urlsplit(synapse.url)
    assert where.hostname is not None
    assert where.port is not None
    with (
        Proxy(upstream=(where.hostname, where.port)) as proxy,
        mock.patch.multiple(delivery, SEND_TIMEOUT_SECONDS=SEND_SECONDS, **HASTE),
        mock.patch.multiple(settling, BACK_OFF_SECONDS=(0.1,), MAX_ATTEMPTS=500),
    ):
        yield proxy


def log_in(cast: Cast, agent: Agent, member: Member, line: Proxy) -> None:
    """Give an agent a login that is reached over the line."""
    user = member.user
    login = Login(f"http://127.0.0.1:{line.port}", user.user_id, user.device_id, user.token)
    add_login(
        agent_id=agent.pk,
        platform="matrix",
        external_id=user.user_id,
        name=agent.name,
        secret=packed(login),
        by=cast.root,
    )


def test_a_slow_homeserver_delays_only_itself_and_shows_everything_once(
    live_cast: Cast, synapse: Synapse, line: Proxy
) -> None:
    ann, ada, bo = (Member(synapse, name) for name in ("ann", "ada", "bo"))
    slow, quick = (ann.opens(one.user_id, name=one.user_id) for one in (ada, bo))
    ada.joins(slow)
    bo.joins(quick)
    log_in(live_cast, live_cast.ada, ada, line)
    login_agent(live_cast, live_cast.bo, synapse, bo)
    words = [f"word {n}" for n in range(SAID)]

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            for agent, room in ((live_cast.ada, slow), (live_cast.bo, quick)):
                await connected(bridge, agent)
                await eventually(bridge, partial(membership_of, agent, room), "active")
            line.drip(BYTES_PER_SECOND)
            late = [await bridge.call(answers, live_cast.ada, slow, word) for word in words]
            soon = [await bridge.call(answers, live_cast.bo, quick, word) for word in words]
            for word in words:
                await bridge.call(ann.says, slow, f"{word}?")
            await eventually(bridge, partial(status_of, soon[-1]), "published", seconds=20)
            assert await bridge.call(status_of, late[-1]) != "published"
            # An attempt ran out of time, and nobody knows what arrived of it.
            await eventually(bridge, partial(_is_unsure, live_cast.ada), True, seconds=20)
            line.restore()
            await eventually(bridge, partial(status_of, late[-1]), "published", seconds=60)
            asked = [f"{word}?" for word in words]
            await eventually(bridge, lambda: _of(slow, asked), asked, seconds=60)

    run(work)
    assert ann.hears(slow, ada.user_id) == words
    assert ann.hears(quick, bo.user_id) == words
    assert _of(slow, words) == words


def _is_unsure(agent: Agent) -> bool:
    return Outbound.objects.filter(agent=agent, state=Outbound.State.UNKNOWN).exists()


def _of(room: str, words: list[str]) -> list[str]:
    """Return which of these words are on record, as often and in the order they are there."""
    return [text for text in record_of(room) if text in words]
