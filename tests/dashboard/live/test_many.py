"""Many pages at once: one reading for all, and nobody's reading costs another a frame."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dashboard import consumers, hub, verdicts
from dashboard.together import Together
from tests.cast import Cast
from tests.dashboard.live.people import message_event
from tests.dashboard.live.sockets import Page, in_thread, page, recorded, run, session_of


@contextmanager
def held(table: str) -> Iterator[None]:
    """Let nobody read a table meanwhile."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as holder:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


async def somebody_waits_for(table: str) -> None:
    def waiting() -> int:
        with psycopg.connect(os.environ["DATABASE_URL"]) as watcher:
            row = watcher.execute(
                "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted",
                [table],
            ).fetchone()
        assert row is not None
        return int(row[0])

    async with asyncio.timeout(5):
        while await in_thread(waiting) == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_second_tab_takes_nothing_from_the_first(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It subscribes while somebody else's rights are being read for a change to be told."""
    monkeypatch.setattr(verdicts, "LONGEST_SECONDS", 0.6)
    mine, other = session_of(live_cast.root), session_of(live_cast.sam)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(other) as old, page(mine) as first, page(mine) as second:
            await old.listen(topic)
            await asyncio.sleep(0.7)  # by then the other's rights have to be read again
            await first.listen(topic)
            with held("agentapp_turn"):
                with held("agentapp_room"):
                    await recorded(**message_event(live_cast, 9001))
                    await somebody_waits_for("agentapp_room")
                    # Whose turn it is has to be asked first, and nobody answers yet.
                    await second.say(op="subscribe", topics=[topic, "turn:1"], since=None)
                    await asyncio.sleep(0.2)
                await old.until(lambda: "9001" in old.ids(topic))
            await first.until(lambda: "9001" in first.ids(topic))
            await second.until(lambda: "9001" in second.ids(topic))

    run(work)


def test_rights_are_read_before_they_are_needed_and_never_told_from_when_too_old(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "LONGEST_SECONDS", 1.5)
    monkeypatch.setattr(hub, "RENEW_SECONDS", 0.2)
    key, topic = session_of(live_cast.sam), f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            await recorded(**message_event(live_cast, 9001))
            await tab.until(lambda: "9001" in tab.ids(topic))
            await asyncio.sleep(1.6)
            with held("agentapp_room"):
                await recorded(**message_event(live_cast, 9002))
                await tab.until(lambda: "9002" in tab.ids(topic))
                await asyncio.sleep(1.6)
                await recorded(**message_event(live_cast, 9003))
                await asyncio.sleep(0.5)
                assert "9003" not in tab.ids(topic)
            await tab.until(lambda: "9003" in tab.ids(topic))

    run(work)


def test_who_asks_while_a_read_is_under_way_is_answered_by_the_next(
    transactional_db: None,
) -> None:
    reads: list[set[int]] = []

    def read(keys: Collection[int]) -> dict[int, int]:
        reads.append(set(keys))
        return {key: len(reads) for key in keys if key != 13}

    async def work() -> None:
        together: Together[int, int] = Together(read)
        answers = await asyncio.gather(*(together.ask([key]) for key in range(50)))
        assert len(reads) == 2
        assert [found for found, _ in answers[:2]] == [{0: 1}, {1: 2}]
        assert answers[13][0] == {}
        assert answers[0][1] < answers[1][1]

    run(work)


def test_a_read_that_fails_leaves_the_next_one_alone(transactional_db: None) -> None:
    failures = [OSError("gone")]

    def read(keys: Collection[int]) -> dict[int, int]:
        if failures:
            raise failures.pop()
        return dict.fromkeys(keys, 1)

    async def work() -> None:
        together: Together[int, int] = Together(read)
        first, second = await asyncio.gather(
            together.ask([1]), together.ask([2]), return_exceptions=True
        )
        assert isinstance(first, OSError)
        assert not isinstance(second, BaseException)
        assert second[0] == {2: 1}

    run(work)


@pytest.mark.parametrize("answers_pings", [False, True])
def test_who_takes_nothing_is_let_go_in_the_end(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch, answers_pings: bool
) -> None:
    monkeypatch.setattr(consumers, "PING_SECONDS", 0.2)
    monkeypatch.setattr(consumers, "SILENT_SECONDS", 0.6)
    monkeypatch.setattr(consumers, "LAST_WORDS_SECONDS", 0.1)
    key, topic = session_of(live_cast.root), f"room:{live_cast.lounge.pk}"

    async def keep_saying(tab: Page) -> None:
        while answers_pings:
            await tab.say(op="pong")
            await asyncio.sleep(0.1)

    async def work() -> None:
        gate = asyncio.Event()
        gate.set()
        async with page(key, gate=gate) as stuck:
            await stuck.listen(topic)
            links = hub.running_hub().links
            assert len(links) == 1
            gate.clear()
            saying = asyncio.create_task(keep_saying(stuck))
            async with asyncio.timeout(5):
                while links:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            saying.cancel()

    run(work)
