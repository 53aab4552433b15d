"""Lost logins, limits, outages: what the owner is told, and what goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from agentapp.drafts.models import Outbound
from agentapp.foundation.envelope import Outgoing
from agentapp.identity.models import Account, Agent
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.logins import LoginTaken, add_login
from agentapp.identity.services.opening import open_login
from agentapp.notifications.models import Notification
from agentapp.turns.models import Turn
from bots import host as hosting
from bots import typing
from bots.bridge import Bridge
from bots.connector import TooLate
from bots.matrix import client, listening
from bots.matrix.client import MatrixConnector
from bots.matrix.login import log_in, packed, unpacked
from bots.matrix.transport import Homeserver
from tests.bots.matrix.test_rooms import a_room_of_three
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    health,
    login_agent,
    matrix_host,
    record_of,
    room_of,
)
from tests.bots.places import due_now, eventually, run, status_of, until
from tests.cast import SPEC, Cast
from tests.fakes.synapse import Synapse
from tests.pace import allowed


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that a connector makes, by its path."""
    made: list[str] = []
    ask = client.Homeserver._ask

    async def noted(self: Homeserver, request: Any) -> Any:
        made.append(request.path)
        return await ask(self, request)

    monkeypatch.setattr(client.Homeserver, "_ask", noted)
    return made


def test_a_revoked_token_stops_the_login_and_says_what_to_do(
    live_cast: Cast,
    synapse: Synapse,
    requests: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "FIRST_RETRY_SECONDS", 0.2)
    monkeypatch.setattr(hosting, "LAST_RETRY_SECONDS", 0.2)
    ann, ada, room = a_room_of_three(live_cast, synapse)
    state = partial(health, live_cast.ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ada.call, "POST", "/logout", {})
            await eventually(bridge, lambda: state()[0], "lost")
            assert "log it in again" in (await bridge.call(state))[1]
            note = await bridge.call(Notification.objects.get)
            assert (note.user_id, note.kind[:10]) == (live_cast.root.pk, "login.lost")
            asked = len(requests)
            draft = await bridge.call(answers, live_cast.ada, room, "Anybody?")
            await asyncio.sleep(1.5)
            assert len(requests) == asked, "the homeserver was asked again"
            assert await bridge.call(status_of, draft) == "approved", "an attempt was used up"

            login = await log_in(
                homeserver=synapse.url, user=ada.user_id, password=ada.user.password
            )
            await bridge.call(
                partial(
                    add_login,
                    agent_id=live_cast.ada.pk,
                    platform="matrix",
                    external_id=ada.user_id,
                    name="Ada",
                    secret=packed(login),
                    by=live_cast.root,
                )
            )
            await eventually(bridge, state, ("ok", ""))
            await eventually(bridge, lambda: status_of(draft), "published")
            await bridge.call(ann.says, room, "There you are")
            await eventually(bridge, lambda: record_of(room)[-1:], ["There you are"])

    run(work)


def test_a_login_that_runs_out_is_refreshed_and_kept(live_cast: Cast, synapse: Synapse) -> None:
    synapse.restart(refreshable_access_token_lifetime="2s")
    try:
        ann, ada, room = a_room_of_three(live_cast, synapse)
        account = Account.objects.get(platform="matrix")

        def stored() -> str:
            return open_login(account_id=account.pk).secret

        async def work(bridge: Bridge) -> None:
            login = await log_in(
                homeserver=synapse.url, user=ada.user_id, password=ada.user.password
            )
            ada.user = replace(ada.user, token=login.token)
            await bridge.call(
                partial(
                    add_login,
                    agent_id=live_cast.ada.pk,
                    platform="matrix",
                    external_id=ada.user_id,
                    name="Ada",
                    secret=packed(login),
                    by=live_cast.root,
                )
            )
            async with matrix_host(bridge):
                await connected(bridge, live_cast.ada)
                await asyncio.sleep(2.5)
                await bridge.call(ann.says, room, "Still there?")
                await eventually(bridge, partial(record_of, room), ["Still there?"])
                draft = await bridge.call(answers, live_cast.ada, room, "Yes.")
                await eventually(bridge, lambda: status_of(draft), "published")
            assert unpacked(await bridge.call(stored)).token != login.token
            async with matrix_host(bridge):
                await bridge.call(ann.says, room, "And now?")
                await eventually(bridge, lambda: record_of(room)[-1:], ["And now?"])

        run(work)
    finally:
        synapse.restart()


@pytest.fixture
def strict(synapse: Synapse) -> Iterator[Synapse]:
    """The homeserver with a limit of three messages, then one in half a second."""
    synapse.restart(rc_message={"per_second": 2, "burst_count": 3})
    yield synapse
    synapse.restart()


def test_a_limit_delays_and_loses_nothing(live_cast: Cast, strict: Synapse) -> None:
    ann, ada, room = a_room_of_three(live_cast, strict)
    words = [str(number) for number in range(8)]

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            for word in words:
                await bridge.call(answers, live_cast.ada, room, word)

            def heard() -> list[str]:
                due_now()  # no test waits for the seconds between two attempts
                return ann.hears(room, ada.user_id)

            await eventually(bridge, heard, words, seconds=30)

    run(work)
    assert ann.hears(room, ada.user_id) == words


def test_an_outage_is_seen_and_survived(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(hosting, "LAST_RETRY_SECONDS", 0.5)
    ann, _, room = a_room_of_three(live_cast, synapse)
    state = partial(health, live_cast.ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(synapse.stop)
            await eventually(bridge, lambda: state()[0], "failing", seconds=20)
            draft = await bridge.call(answers, live_cast.ada, room, "Anybody?")
            await asyncio.sleep(1.5)
            assert await bridge.call(status_of, draft) == "approved", "an attempt was used up"
            await bridge.call(synapse.start)
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)
            await bridge.call(ann.says, room, "Back again")
            heard = ["Anybody?", "Back again"]
            await eventually(bridge, partial(record_of, room), heard, seconds=20)
            await eventually(bridge, state, ("ok", ""))

    try:
        run(work)
    finally:
        synapse.restart()


def test_somebody_elses_login_is_not_run(live_cast: Cast, synapse: Synapse) -> None:
    ada = Member(synapse, "ada")
    login_agent(live_cast, live_cast.ada, synapse, ada)
    Account.objects.filter(platform="matrix").update(external_id="@other:green.test")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, lambda: health(live_cast.ada)[0], "lost")
            assert "belongs to" in (await bridge.call(health, live_cast.ada))[1]

    run(work)


def test_a_login_is_sealed_and_one_agents_own(live_cast: Cast, synapse: Synapse) -> None:
    ada = Member(synapse, "ada")
    account = login_agent(live_cast, live_cast.ada, synapse, ada)
    assert ada.user.token not in account.secret
    assert ada.user.token in open_login(account_id=account.pk).secret
    assert ada.user.token not in repr(open_login(account_id=account.pk))
    with pytest.raises(LoginTaken):
        login_agent(live_cast, live_cast.bo, synapse, ada)


def test_without_the_right_to_write_the_owner_hears_what_is_missing(
    live_cast: Cast, synapse: Synapse
) -> None:
    levels = {"events_default": 30, "users_default": 0}
    _, _, room = a_room_of_three(
        live_cast, synapse, room_version="11", power_level_content_override=levels
    )

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(answers, live_cast.ada, room, "Hello?")
            await eventually(bridge, lambda: status_of(draft), "failed")
            error = (await bridge.call(Outbound.objects.get)).error
            assert "power level 30, and the agent has 0" in error

    run(work)


def test_no_token_is_ever_logged(
    live_cast: Cast, synapse: Synapse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    _, ada, room = a_room_of_three(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(answers, live_cast.ada, room, "Hello")
            await eventually(bridge, lambda: status_of(draft), "published")
            await bridge.call(ada.call, "POST", "/logout", {})
            await eventually(bridge, lambda: health(live_cast.ada)[0], "lost")

    run(work)
    assert ada.user.token not in caplog.text


def test_many_logins_share_a_process(live_cast: Cast, synapse: Synapse) -> None:
    ann, _, room = a_room_of_three(live_cast, synapse)
    for number in range(24):
        agent = create_agent(
            owner=live_cast.root, workspace=live_cast.workspace, name=f"A{number}", spec=SPEC
        )
        login_agent(live_cast, agent, synapse, Member(synapse, f"more{number}"))

    def well() -> int:
        return Account.objects.filter(platform="matrix", health="ok").exclude(cursor={}).count()

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, well, 25, seconds=30)
            begun = time.monotonic()
            await bridge.call(ann.says, room, "Hello")
            await eventually(bridge, partial(record_of, room), ["Hello"])
            assert time.monotonic() - begun < allowed(3.0)

    run(work)
    assert not Account.objects.exclude(lease_holder="").exists()


# -- presence shown ----------------------------------------------------------------------------


def test_it_reads_visibly_and_types_while_it_thinks(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing, "LOOK_SECONDS", 0.05)
    ann, ada, room = a_room_of_three(live_cast, synapse)
    before = ann.call("GET", "/sync?timeout=0")["next_batch"]

    def ephemeral() -> dict[str, Any]:
        """Return what stands in the room beside its messages."""
        rooms: Any = ann.call("GET", f"/sync?timeout=0&since={before}").get("rooms", {})
        listed = rooms.get("join", {}).get(room, {}).get("ephemeral", {}).get("events", [])
        return {one["type"]: one["content"] for one in listed}

    def typists() -> list[str]:
        return list(ephemeral().get("m.typing", {}).get("user_ids", []))

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            said = await bridge.call(ann.says, room, "Think!")
            await eventually(bridge, partial(record_of, room), ["Think!"])
            await eventually(
                bridge,
                lambda: (
                    ada.user_id in ephemeral().get("m.receipt", {}).get(said, {}).get("m.read", {})
                ),
                True,
            )
            turn = await bridge.call(partial(thinks, live_cast.ada, room))
            await eventually(bridge, typists, [ada.user_id])
            await bridge.call(Turn.objects.filter(pk=turn.pk).update, status="done")
            await eventually(bridge, typists, [])

    run(work)
    assert typists() == []


def thinks(agent: Agent, room: str) -> Turn:
    place = room_of(room)
    return Turn.objects.create(
        workspace=place.workspace, agent=agent, room=place, decision="respond", status="running"
    )


class Captures(MatrixConnector):
    pieces: list[Outgoing] = []

    @override
    async def send(self, outgoing: Outgoing) -> Any:
        late = replace(outgoing, deadline=time.monotonic() - 0.001)
        try:
            await super().send(late)
        except TooLate:
            self.pieces.append(outgoing)
        return await super().send(outgoing)


def test_after_its_deadline_nothing_leaves(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Captures, "pieces", [])
    ann, ada, room = a_room_of_three(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge, Captures) as host:
            await connected(bridge, live_cast.ada)
            await until(lambda: bool(host.running))
            draft = await bridge.call(answers, live_cast.ada, room, "In time")
            await eventually(bridge, lambda: status_of(draft), "published")

    run(work)
    assert len(Captures.pieces) == 1
    assert ann.hears(room, ada.user_id) == ["In time"]
