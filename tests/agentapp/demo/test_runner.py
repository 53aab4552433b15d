from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from agentapp.conversation.models import Message
from agentapp.demo import rules, runner, script, services
from agentapp.demo.models import DemoRun
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.identity.models import User
from agentapp.intake.models import Lane
from tests.cast import Cast


def said_in(run: DemoRun) -> list[str]:
    return list(Message.objects.filter(room=run.room).order_by("id").values_list("text", flat=True))


def play(run: DemoRun, *, lines: int) -> None:
    """Say lines without the pauses, as if somebody watched all along."""
    for _ in range(lines):
        now = clock.now()
        DemoRun.objects.filter(pk=run.pk).update(next_line_at=now, watched_at=now)
        runner.tick()


def test_a_fresh_demo_speaks_at_the_first_tick(cast: Cast) -> None:
    run = services.start(user=cast.root)
    assert runner.tick() == 1
    message = Message.objects.get(room=run.room)
    assert message.text == script.LINES[0].text
    assert message.author is not None
    assert message.author.kind == "scripted"


def test_a_second_tick_at_once_says_nothing(cast: Cast) -> None:
    run = services.start(user=cast.root)
    assert runner.tick() == 1
    assert runner.tick() == 0
    assert len(said_in(run)) == 1


def test_an_addressed_line_mentions_its_agent_and_wakes_every_lane(cast: Cast) -> None:
    run = services.start(user=cast.root)
    play(run, lines=2)
    message = Message.objects.filter(room=run.room).latest("id")
    assert message.text == "Juno, kettle first or toast first?"
    assert [each.name for each in message.mentions.all()] == ["Juno"]
    assert Lane.objects.filter(room=run.room, wanted_through=message.pk).count() == 3


def test_nothing_is_said_once_nobody_watches_and_it_goes_on_when_somebody_does(cast: Cast) -> None:
    run = services.start(user=cast.root)
    runner.tick()
    with clock.shifted(timedelta(minutes=1)):
        assert runner.tick() == 0
        services.watch(user=cast.root)
        assert runner.tick() == 1
    assert said_in(run) == [line.text for line in script.LINES[:2]]


def test_it_stops_after_the_watched_time(cast: Cast) -> None:
    run = services.start(user=cast.root)
    DemoRun.objects.filter(pk=run.pk).update(ends_at=clock.now())
    assert runner.tick() == 0
    run.refresh_from_db()
    assert run.stop_reason == "time"
    assert Event.objects.filter(type="demo.stopped", subject_id=str(run.pk)).count() == 1
    assert runner.tick() == 0


def test_it_stops_after_the_last_message_and_never_goes_beyond(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_MESSAGES", 5)
    run = services.start(user=cast.root)
    play(run, lines=8)
    run.refresh_from_db()
    assert len(said_in(run)) == 5
    assert run.stop_reason == "messages"


def test_the_script_goes_round(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "LINES", script.LINES[:4])
    monkeypatch.setattr(script, "LOOP_FROM", 2)
    run = services.start(user=cast.root)
    play(run, lines=7)
    first = [line.text for line in script.LINES]
    assert said_in(run) == [*first, first[2], first[3], first[2]]


@pytest.mark.usefixtures("live_cast")
def test_many_ticks_at_once_say_each_line_once() -> None:
    run = services.start(user=User.objects.get(username="root"))
    together = threading.Barrier(4)

    def tick(_: int) -> int:
        together.wait()
        try:
            return runner.tick()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(tick, range(4))) == 1
    assert said_in(run) == [script.LINES[0].text]


def test_removing_in_the_middle_ends_the_talk(cast: Cast) -> None:
    run = services.start(user=cast.root)
    play(run, lines=6)
    assert services.remove(user=cast.root)
    assert runner.tick() == 0
    assert not Message.objects.filter(room_id=run.room_id).exists()
