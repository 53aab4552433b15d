"""What a client may say, how much of it, and what becomes of one that says nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from dashboard import consumers
from tests.cast import Cast
from tests.dashboard.live.people import message_event
from tests.dashboard.live.sockets import page, recorded, run, session_of

NO_MESSAGES = {
    "not json": 4400,
    "[]": 4400,
    "{}": 4400,
    '{"op": "evaluate"}': 4400,
    '{"op": ["subscribe"]}': 4400,
    '{"op": "subscribe"}': 4400,
    '{"op": "subscribe", "topics": "home"}': 4400,
    '{"op": "subscribe", "topics": [5]}': 4400,
    "[" * 60_000: 4400,
    '{"op": "pong", "x": "' + "x" * 65_536 + '"}': 1009,
}


def test_what_is_no_message_of_ours_closes_the_socket(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        for text, code in NO_MESSAGES.items():
            async with page(key) as tab:
                await tab.say_raw(text)
                await tab.until(lambda tab=tab: tab.closed is not None)
                assert tab.closed == code, text[:60]

    run(work)


def test_more_than_twenty_messages_a_second_close_the_socket(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            for _ in range(consumers.MESSAGES_PER_SECOND):
                await tab.say(op="pong")
            await asyncio.sleep(0.3)
            assert tab.closed is None
            for _ in range(consumers.MESSAGES_PER_SECOND):
                await tab.say(op="pong")
            await tab.until(lambda: tab.closed is not None)
            assert tab.closed == 4429

    run(work)


def test_too_many_topics_are_refused(live_cast: Cast) -> None:
    key = session_of(live_cast.root)
    names = ["home", *(f"room:{number}" for number in range(100, 200))]

    async def work() -> None:
        async with page(key) as tab:
            await tab.say(op="subscribe", topics=names, since=None)
            await tab.until(lambda: bool(tab.ops("refused")))
            assert "home" not in tab.ops("refused")[0]["topics"]

    run(work)


def test_a_nonsense_cursor_is_no_error(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            for since in ("", "x", "1", "9" * 40 + ".1", 5, [], {"a": 1}, "\ud800.1"):
                await tab.say_raw(
                    json.dumps({"op": "subscribe", "topics": ["home"], "since": since})
                )
            await tab.listen("home")
            assert tab.closed is None

    run(work)


def test_unsubscribing_ends_the_stream(live_cast: Cast) -> None:
    key, topic = session_of(live_cast.root), f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic, since=f"{2**62}.0")
            await tab.say(op="unsubscribe")
            await asyncio.sleep(0.2)
            await recorded(**message_event(live_cast, 20))
            await asyncio.sleep(0.5)
            assert tab.ids(topic) == set()

    run(work)


def test_a_silent_client_is_pinged_and_then_let_go(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "PING_SECONDS", 0.2)
    monkeypatch.setattr(consumers, "SILENT_SECONDS", 0.6)
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as silent, page(key) as alive:
            for _ in range(6):
                await alive.say(op="pong")
                await asyncio.sleep(0.2)
            assert alive.closed is None
            assert silent.closed == 1001
            assert silent.ops("ping")
            assert all(frame["c"].count(".") == 1 for frame in alive.ops("ping"))

    run(work)


def test_watching_without_a_demo_is_no_error(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)

    async def work() -> None:
        async with page(key) as tab:
            await tab.say(op="watch")
            await tab.listen("home")
            assert tab.closed is None

    run(work)
