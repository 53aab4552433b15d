"""Nothing is lost and nothing comes twice: restarts, gaps, doubled answers, a lost lease."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from typing_extensions import override

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, Incoming, Place
from agentapp.identity.models import Account, Room
from agentapp.intake import batches, seen
from agentapp.intake.batches import LeaseLost, accept_batch
from agentapp.intake.seen import Batch, RoomNews
from agentapp.presence.invitations import waiting
from bots.bridge import Bridge
from bots.matrix import backfill, client, listening
from bots.matrix.client import MatrixConnector
from bots.matrix.errors import Rejected
from bots.matrix.transport import Homeserver
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    cursor_of,
    login_agent,
    matrix_host,
    record_of,
)
from tests.bots.places import eventually, run, said_by, status_of
from tests.cast import Cast
from tests.fakes.synapse import ROOT, Synapse


def a_place(cast: Cast, synapse: Synapse) -> tuple[Member, str]:
    """Return a member and a room in which Ada is with her login."""
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    room = ann.opens(ada.user_id, name="Tea")
    ada.joins(room)
    login_agent(cast, cast.ada, synapse, ada)
    return ann, room


def show_only(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let syncs show this many events of a room; the others are a gap."""
    room = {**listening._TIMELINE["room"], "timeline": {"limit": count}}  # type: ignore[dict-item]
    monkeypatch.setattr(listening, "_TIMELINE", {**listening._TIMELINE, "room": room})


def test_a_restart_loses_nothing_and_doubles_nothing(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    ann.says(room, "before anybody listened")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ann.says, room, "one")
            await eventually(bridge, partial(record_of, room), ["one"])
        for word in ("two", "three"):
            await bridge.call(ann.says, room, word)
        async with matrix_host(bridge):
            await eventually(bridge, partial(record_of, room), ["one", "two", "three"])
            await bridge.call(ann.says, room, "four")
            await eventually(bridge, partial(record_of, room), ["one", "two", "three", "four"])

    run(work)
    assert record_of(room) == ["one", "two", "three", "four"]


def test_a_gap_of_150_messages_is_filled_in_order(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    words = [f"message {n}" for n in range(150)]

    def says_all() -> None:
        for word in words:
            ann.says(room, word)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ann.says, room, "seen")
            await eventually(bridge, partial(record_of, room), ["seen"])
        await bridge.call(says_all)
        async with matrix_host(bridge):
            await eventually(bridge, lambda: len(record_of(room)), 151, seconds=30)

    run(work)
    assert record_of(room) == ["seen", *words]
    assert not Event.objects.filter(type="room.gap").exists()


def test_a_gap_that_is_too_long_is_known_to_be_one(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MOST_EVENTS", 4)
    monkeypatch.setattr(backfill, "PAGE", 2)
    show_only(2, monkeypatch)
    ann, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
        for number in range(12):
            await bridge.call(ann.says, room, str(number))
        async with matrix_host(bridge):
            await eventually(bridge, lambda: record_of(room)[-1:], ["11"])

    run(work)
    assert record_of(room) == ["6", "7", "8", "9", "10", "11"]
    assert Event.objects.filter(type="room.gap").count() == 1


def test_a_gap_that_is_never_shown_holds_nothing_up(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(self: Homeserver, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise Rejected("M_FORBIDDEN", 403)

    monkeypatch.setattr(Homeserver, "messages", refuses)
    show_only(2, monkeypatch)
    ann, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
        for number in range(5):
            await bridge.call(ann.says, room, str(number))
        async with matrix_host(bridge):
            await eventually(bridge, partial(record_of, room), ["3", "4"])

    run(work)
    assert Event.objects.filter(type="room.gap").count() == 1


def test_a_page_that_fails_moves_no_cursor(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, room = a_place(live_cast, synapse)
    fetch, failures = Homeserver.messages, [listening.Faltering(), listening.NotReached()]

    async def fails_twice(self: Homeserver, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return await fetch(self, *args, **kwargs)

    monkeypatch.setattr(Homeserver, "messages", fails_twice)
    monkeypatch.setattr(backfill, "PAGE", 3)
    show_only(2, monkeypatch)
    monkeypatch.setattr(listening, "FIRST_WAIT", 0.05)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
        for number in range(10):
            await bridge.call(ann.says, room, str(number))
        async with matrix_host(bridge):
            await eventually(bridge, lambda: len(record_of(room)), 10, seconds=30)

    run(work)
    assert not failures
    assert record_of(room) == [str(number) for number in range(10)]


def test_the_same_answer_twice_changes_nothing(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the commit and the next request, and with a cache in between."""
    ann, room = a_place(live_cast, synapse)
    ask, repeated = Homeserver.sync, []

    async def twice(self: Homeserver, **kwargs: Any) -> dict[str, Any]:
        if repeated and repeated[-1][1] == 1:
            answer, _ = repeated.pop()
            repeated.append((answer, 2))
            return answer
        answer = await ask(self, **kwargs)
        if kwargs["since"] and answer.get("rooms"):
            repeated.append((answer, 1))
        return answer

    monkeypatch.setattr(Homeserver, "sync", twice)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            for word in ("one", "two", "three"):
                sent = await bridge.call(ann.says, room, word)
                await eventually(bridge, lambda: record_of(room)[-1:], [word])
                await bridge.call(ann.reacts, room, sent, "👍")
            await asyncio.sleep(0.5)

    run(work)
    assert record_of(room) == ["one", "two", "three"]
    assert any(count == 2 for _, count in repeated)


def test_a_database_that_fails_moves_no_cursor(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, room = a_place(live_cast, synapse)
    accept, failures = batches.accept, [OperationalError("deadlock detected")]

    def fails_once(incoming: Incoming) -> object:
        if incoming.text == "two" and failures:
            raise failures.pop()
        return accept(incoming)

    monkeypatch.setattr(batches, "accept", fails_once)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            for word in ("one", "two", "three"):
                await bridge.call(ann.says, room, word)
            await eventually(bridge, partial(record_of, room), ["one", "two", "three"])

    run(work)
    assert not failures


def test_an_item_that_cannot_be_stored_holds_nothing_up(
    live_cast: Cast, synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, room = a_place(live_cast, synapse)
    accept = batches.accept

    def chokes(incoming: Incoming) -> object:
        if incoming.text == "poison":
            raise ValueError("odd")
        return accept(incoming)

    monkeypatch.setattr(batches, "accept", chokes)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            for word in ("one", "poison", "two"):
                await bridge.call(ann.says, room, word)
            await eventually(bridge, partial(record_of, room), ["one", "two"])

    run(work)
    assert Event.objects.filter(type="intake.skipped").count() == 1


def test_a_killed_process_loses_nothing_and_doubles_nothing(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, room = a_place(live_cast, synapse)
    words = [str(number) for number in range(40)]

    def wait_until(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 90
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    process = a_process()
    try:
        wait_until(lambda: cursor_of(live_cast.ada) != "")
        for number, word in enumerate(words):
            ann.says(room, word)
            if number in {9, 24}:
                wait_until(lambda seen=number: len(record_of(room)) >= seen - 4)
                process.kill()
                process.wait()
                Account.objects.update(lease_until=clock.now())  # no test waits for a lease
                process = a_process()
        wait_until(lambda: record_of(room)[-1:] == words[-1:])
    finally:
        process.kill()
        process.wait()
    assert record_of(room) == words


def a_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "runbots"],
        cwd=ROOT,
        env={**os.environ, "MATRIX_ALLOW_PRIVATE": "yes"},
        stderr=subprocess.DEVNULL,
    )


# -- the transaction ---------------------------------------------------------------------------


def a_batch(cast: Cast, **fields: object) -> Batch:
    """Return a batch with one message, under a lease that holds."""
    Account.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        platform="matrix",
        external_id="@ada:green.test",
        fence=3,
        lease_until=clock.now().replace(year=2100),
    )
    place = Place("!tea", "Tea")
    said = Incoming(
        cast.workspace.pk, "matrix", place, "$one", Author("@ann:green.test", "Ann"), "Hello"
    )
    account = Account.objects.get(platform="matrix")
    batch = Batch(
        account.pk,
        3,
        cast.workspace.pk,
        cast.ada.pk,
        "matrix",
        {"since": "s2"},
        rooms=(RoomNews(place, (said,)),),
    )
    return replace(batch, **fields)  # type: ignore[arg-type]


def test_events_and_cursor_go_together(cast: Cast) -> None:
    accept_batch(a_batch(cast))
    assert cursor_of(cast.ada) == "s2"
    assert record_of("!tea") == ["Hello"]


@pytest.mark.parametrize("lost", ["fence", "lease"])
def test_under_a_lost_lease_nothing_is_written(live_cast: Cast, lost: str) -> None:
    batch = a_batch(live_cast)
    if lost == "fence":
        batch = replace(batch, fence=2)
    else:
        Account.objects.update(lease_until=clock.now())
    with pytest.raises(LeaseLost):
        accept_batch(batch)
    assert cursor_of(live_cast.ada) == ""
    assert not Message.objects.filter(room__platform="matrix").exists()


def test_strangers_cannot_pile_up_invitations(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_INVITATIONS", 3)
    batch = a_batch(cast)
    for n in range(4):
        some = tuple(
            seen.Invited(Place(f"!room{n}{m}", f"Room {n}{m}"), "@eve:green.test") for m in range(2)
        )
        accept_batch(replace(batch, invited=some))
    assert waiting(agent_id=cast.ada.pk).count() == 3
    assert Room.objects.filter(external_id__startswith="!room").count() == 3


# -- the way out -------------------------------------------------------------------------------


class Forgetful(MatrixConnector):
    """Loses the answer to its first send; `arrives` says whether the homeserver got it."""

    arrives = True
    calls: list[str] = []

    @override
    async def send(self, outgoing: Any) -> Any:
        self.calls.append(outgoing.dedupe_key)
        if len(self.calls) > 1:
            return await super().send(outgoing)
        if self.arrives:
            await self._out().put(outgoing)
        raise ConnectionResetError


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_is_settled_by_reading_back(
    live_cast: Cast,
    synapse: Synapse,
    monkeypatch: pytest.MonkeyPatch,
    arrives: bool,
    remembers: bool,
) -> None:
    ann, room = a_place(live_cast, synapse)
    monkeypatch.setattr(Forgetful, "arrives", arrives)
    monkeypatch.setattr(Forgetful, "calls", [])
    if not remembers:  # as after a restart: only the homeserver knows
        monkeypatch.setattr(client.Recent, "event_of", lambda _self, _key: "")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge, Forgetful):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(answers, live_cast.ada, room, "Good evening.")
            await eventually(bridge, lambda: status_of(draft), "published")
            await asyncio.sleep(0.3)

    run(work)
    assert len(Forgetful.calls) == (1 if arrives else 2)
    assert len(set(Forgetful.calls)) == 1
    ada = Account.objects.get(platform="matrix").external_id
    assert ann.hears(room, ada) == ["Good evening."]
    assert said_by(live_cast.ada) == ["Good evening."]


def test_the_same_key_is_one_message_even_after_the_homeserver_restarts(
    live_cast: Cast, synapse: Synapse
) -> None:
    _, room = a_place(live_cast, synapse)
    ada = Account.objects.get(platform="matrix")

    async def work(bridge: Bridge) -> set[str]:
        async with matrix_host(bridge) as host:
            await connected(bridge, live_cast.ada)
            connector = host.running[ada.pk].connector
            assert isinstance(connector, MatrixConnector)
            server = connector._connected()
            content = {"msgtype": "m.text", "body": "x", "m.mentions": {}}
            first = await server.send(room, "m.room.message", content, "the-key")
            await bridge.call(synapse.restart)
            return {first, await server.send(room, "m.room.message", content, "the-key")}

    assert len(run(work)) == 1
