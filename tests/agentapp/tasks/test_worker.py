"""A real worker process: woken, stopped, killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from agentapp.drafts.models import Draft
from agentapp.foundation import clock
from agentapp.intake.models import Lane
from agentapp.turns.models import Turn
from tests.agentapp.engine.stage import Stage
from tests.agentapp.tasks.conftest import Worker
from tests.fakes.model_server import Behaviour

Start = Callable[[], Worker]
LONG = Behaviour(text="word " * 400, gap=0.05)
PATIENCE = 120  # seconds, on a busy machine


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


def test_a_posted_message_wakes_a_worker_that_answers(live: Stage, start_worker: Start) -> None:
    start_worker()
    live.say("@Bo hello")
    wait_for(Draft.objects.exists)
    assert live.draft(live.cast.bo).text == "You said something kind."


def test_a_worker_that_is_told_to_stop_leaves_at_once_and_loses_nothing(
    live: Stage, start_worker: Start
) -> None:
    live.server.behave(LONG)
    worker = start_worker()
    live.say("@Bo tell me a story")
    live.server.wait_for_requests(1, seconds=PATIENCE)
    assert worker.stop() < 10
    assert Lane.objects.get(agent=live.cast.bo).lease_until is None
    assert not Draft.objects.exists()
    start_worker()
    wait_for(Draft.objects.exists)
    assert live.draft(live.cast.bo).text == "You said something kind."
    assert Turn.objects.get(agent=live.cast.bo).retries == 1


def test_a_worker_killed_in_mid_sentence_is_replaced_and_speaks_once(
    live: Stage, start_worker: Start
) -> None:
    live.server.behave(LONG)
    worker = start_worker()
    live.say("@Bo tell me a story")
    live.server.wait_for_requests(1, seconds=PATIENCE)
    worker.kill()
    assert not Draft.objects.exists()
    with clock.shifted(timedelta(minutes=5)):
        start_worker()
        wait_for(Draft.objects.exists)
    assert Draft.objects.count() == 1
    assert live.draft(live.cast.bo).text == "You said something kind."
    assert len(live.server.completions()) == 2
    assert Turn.objects.filter(agent=live.cast.bo).count() == 1
