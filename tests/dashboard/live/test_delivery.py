"""Nothing that happened stays untold, whatever becomes of the hints."""

from __future__ import annotations

import asyncio
import os
import random
import time

import psycopg
import pytest
import redis
from django.conf import settings

from agentapp.foundation import live
from dashboard import hub, links
from tests.cast import Cast
from tests.dashboard.live.people import message_event
from tests.dashboard.live.sockets import in_thread, page, recorded, run, session_of
from tests.pace import allowed

STALE_SECONDS = 5.0


@pytest.fixture
def drop_hints(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lose a share of what is published; the list's one number is that share."""
    share, dice, publish = [0.0], random.Random(7), redis.Redis.publish  # noqa: S311

    def maybe(self: redis.Redis, channel: str, message: str) -> object:
        return 0 if dice.random() < share[0] else publish(self, channel, message)

    monkeypatch.setattr(redis.Redis, "publish", maybe)
    return share


def test_an_event_is_told_at_once(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(f"room:{live_cast.lounge.pk}", "rooms")
            started = time.monotonic()
            await recorded(**message_event(live_cast, 1001))
            await tab.until(lambda: "1001" in tab.ids(f"room:{live_cast.lounge.pk}"))
            assert time.monotonic() - started < allowed(1.0)
            frame = tab.frames[-1]
            assert frame["e"] == "message.received"
            assert frame["c"].count(".") == 1

    run(work)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_with_hints_lost_every_page_knows_everything_within_five_seconds(
    live_cast: Cast, drop_hints: list[float], share: float
) -> None:
    drop_hints[0] = share
    keys = [session_of(user) for user in (live_cast.root, live_cast.sam) for _ in range(3)]
    topic = f"room:{live_cast.lounge.pk}"
    told: dict[tuple[int, str], float] = {}

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Barrier(len(keys) + 1)
            written: dict[str, float] = {}

            async def watch(number: int, key: str) -> None:
                async with page(key) as tab:
                    await tab.listen(topic)
                    await ready.wait()

                    def note() -> bool:
                        for subject in tab.ids(topic) & written.keys():
                            told.setdefault((number, subject), time.monotonic())
                        return len(written) == 30 and written.keys() <= tab.ids(topic)

                    await tab.until(note, seconds=30)

            for number, key in enumerate(keys):
                group.create_task(watch(number, key))
            await ready.wait()
            for number in range(30):
                subject = await recorded(**message_event(live_cast, 2000 + number))
                written[subject] = time.monotonic()
                await asyncio.sleep(0.1)
        late = [at - written[subject] for (_, subject), at in told.items()]
        assert len(late) == 30 * len(keys)
        assert max(late) < STALE_SECONDS

    run(work)


def test_somebody_elses_long_transaction_holds_nothing_up(
    live_cast: Cast, drop_hints: list[float]
) -> None:
    drop_hints[0] = 1.0
    key = session_of(live_cast.root)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            with psycopg.connect(os.environ["DATABASE_URL"]) as slow:
                slow.execute("SELECT pg_current_xact_id()")
                await recorded(**message_event(live_cast, 3001))
                await recorded(**message_event(live_cast, 3002))
                await tab.until(lambda: {"3001", "3002"} <= tab.ids(topic))
                slow.rollback()
            await recorded(**message_event(live_cast, 3003))
            await tab.until(lambda: "3003" in tab.ids(topic))
            told = [frame["id"] for frame in tab.frames if frame.get("id", "").startswith("300")]
            assert sorted(told) == ["3001", "3002", "3003"], "told early and then once more"

    run(work)


def test_a_late_commit_of_an_earlier_event_is_told_after_a_break(live_cast: Cast) -> None:
    """A page's own cursor never runs ahead of what may still appear before it."""
    key = session_of(live_cast.root)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        with psycopg.connect(os.environ["DATABASE_URL"]) as slow:
            async with page(key) as tab:
                await tab.listen(topic)
                slow.execute(
                    "INSERT INTO agentapp_event (type, subject_kind, subject_id, workspace_id,"
                    " room_id, actor_kind, actor_id, payload)"
                    " VALUES ('message.received', 'message', '4001', %s, %s, 'system', '', '{}')",
                    [live_cast.workspace.pk, live_cast.lounge.pk],
                )
                await recorded(**message_event(live_cast, 4002))
                await tab.until(lambda: "4002" in tab.ids(topic))
                cursor = tab.frames[-1]["c"]
            slow.commit()
        async with page(key) as tab:
            await tab.listen(topic, since=cursor)
            await tab.until(lambda: "4001" in tab.ids(topic))
            assert tab.ids(topic) >= {"4001"}

    run(work)


def test_what_happened_during_a_break_is_told_again(live_cast: Cast) -> None:
    key = session_of(live_cast.root)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            await recorded(**message_event(live_cast, 5001))
            await tab.until(lambda: "5001" in tab.ids(topic))
            cursor = tab.frames[-1]["c"]
        await recorded(**message_event(live_cast, 5002))
        async with page(key) as tab:
            await tab.listen(topic, since=cursor)
            await tab.until(lambda: "5002" in tab.ids(topic))
            assert "5001" not in tab.ids(topic)

    run(work)


def test_what_happened_while_the_page_was_drawn_is_told(live_cast: Cast) -> None:
    key = session_of(live_cast.root)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        await recorded(**message_event(live_cast, 6001))
        async with page(key) as tab:
            await tab.listen(topic, since=None)
            await tab.until(lambda: "6001" in tab.ids(topic))
            assert tab.ids(topic) >= {"6001"}

    run(work)


def test_who_missed_too_much_reads_everything_again(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PAGE", 5)
    key = session_of(live_cast.root)

    async def work() -> None:
        for number in range(6):
            await recorded(**message_event(live_cast, number))
        async with page(key) as tab:
            await tab.listen(f"room:{live_cast.lounge.pk}", since="1.1")
            await tab.until(lambda: bool(tab.ops("resync")))
            assert not tab.ids(f"room:{live_cast.lounge.pk}"), "nothing of it one by one"

    run(work)


def test_changes_of_a_list_in_one_moment_become_one_frame(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen("rooms")
            await asyncio.sleep(0.3)
            before = len(tab.frames)
            await asyncio.gather(
                *(recorded(**message_event(live_cast, 7000 + number)) for number in range(20))
            )
            await asyncio.sleep(0.5)
            assert 1 <= len(tab.frames) - before <= 4
            assert tab.topics() == {"rooms"}

    run(work)


def test_a_hint_that_is_no_event_is_passed_on_as_it_is(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            await in_thread(live.publish, topic, typing=str(live_cast.ada.pk), on=True)
            await tab.until(lambda: any("typing" in frame for frame in tab.frames))
            assert tab.frames[-1] == {"t": topic, "typing": str(live_cast.ada.pk), "on": True}

    run(work)


def test_the_subscription_comes_back_after_the_server_cut_it(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)
    topic = f"room:{live_cast.lounge.pk}"

    def cut() -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            await asyncio.sleep(0.3)
            await in_thread(cut)

            async with asyncio.timeout(5):
                while not any("typing" in frame for frame in tab.frames):
                    await in_thread(live.publish, topic, typing="1", on=True)
                    await asyncio.sleep(0.1)
            assert {"t": topic, "typing": "1", "on": True} in tab.frames

    run(work)


def test_nonsense_on_the_channel_disturbs_nobody(live_cast: Cast) -> None:
    key = session_of(live_cast.root)
    topic = f"room:{live_cast.lounge.pk}"

    def shout() -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            for noise in (b"\xff\xfe", b"[]", b'"x"', b"{}", b'{"t": 5}', b'{"t": "room:x"}'):
                client.publish(live.CHANNEL, noise)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic)
            await in_thread(shout)
            await recorded(**message_event(live_cast, 8001))
            await tab.until(lambda: "8001" in tab.ids(topic))
            assert not tab.ops("resync")

    run(work)


def test_a_slow_client_loses_its_queue_and_hears_resync_once() -> None:
    async def work() -> None:
        link = links.Link(login=hub.Login(user_id=1, roles=()), session_key="x")
        for number in range(links.LONGEST_QUEUE * 3):
            link.offer(str(number))
        assert await link.next_frame() == links.RESYNC
        link.offer("after")
        assert await link.next_frame() == "after"

    run(work)


def test_a_client_that_does_not_read_delays_nobody(live_cast: Cast) -> None:
    stuck, key = session_of(live_cast.root), session_of(live_cast.sam)
    topic = f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        gate = asyncio.Event()
        gate.set()
        async with page(stuck, gate=gate) as silent, page(key) as tab:
            await silent.listen(topic)
            await tab.listen(topic)
            gate.clear()
            before = len(silent.frames)
            for number in range(links.LONGEST_QUEUE + 20):
                await recorded(**message_event(live_cast, 10_000 + number))
            await tab.until(lambda: str(10_000 + links.LONGEST_QUEUE + 19) in tab.ids(topic))
            gate.set()
            await silent.until(lambda: bool(silent.ops("resync")))
            # One frame was on its way when the client stopped reading; the rest became one word.
            assert len(silent.frames) == before + 2

    run(work)
