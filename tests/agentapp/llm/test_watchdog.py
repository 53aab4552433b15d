"""What a worker that died had set aside is settled, once, at the most it could have cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.llm import gateway, watchdog
from agentapp.llm.calls import LEASE_GRACE_SECONDS
from agentapp.llm.errors import Overtaken, StillRunning
from agentapp.llm.models import LLMCall, Reservation, Spend
from tests.cast import Cast
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask, connect, in_threads
from tests.fakes.model_server import Behaviour, ModelServer

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 60.0
PAST_THE_LEASE = timedelta(seconds=DEADLINE + LEASE_GRACE_SECONDS + 1)

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def worker(cast: Cast, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a real process that asks; whatever happens, it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.agentapp.llm.dying_worker",
         str(cast.workspace.pk), key, str(DEADLINE)],
        cwd=ROOT,
        env=os.environ | {"LLM_ALLOW_REQUESTS": "no"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        _, said = process.communicate()
        print(said.decode())  # noqa: T201  (why it ended early, if it did)


def kill_mid_stream(cast: Cast, server: ModelServer, key: str = "turn:1") -> None:
    before = len(server.completions())
    with worker(cast, key) as process:
        server.wait_for_requests(before + 1, seconds=90)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    server.wait_until_answered()


def test_a_killed_workers_money_is_settled_at_its_most_and_only_once(
    live_cast: Cast, server: ModelServer
) -> None:
    connect(live_cast.workspace, server)
    server.always(Behaviour(text="word " * 50, gap=0.1))
    kill_mid_stream(live_cast, server)
    held = Spend.objects.get().reserved_micros
    assert held > 0

    assert watchdog.settle_lost() == 0  # its lease still runs: it might be alive
    with clock.shifted(PAST_THE_LEASE):
        assert watchdog.settle_lost() == 1
        assert watchdog.settle_lost() == 0

    call = LLMCall.objects.get()
    assert (call.status, call.cost_micros, call.is_estimated) == ("lost", held, True)
    assert Reservation.objects.get().state == Reservation.State.LOST
    spend = Spend.objects.get()
    assert (spend.reserved_micros, spend.spent_micros) == (0, held)
    tokens_in, tokens_out = server.billed_tokens()
    assert held >= tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    assert Event.objects.filter(type="llm.call.lost", subject_id=str(call.pk)).count() == 1


def test_settled_and_lost_together_cover_what_the_server_counted(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    for number in range(3):
        live_ask(key=f"done:{number}")
    server.always(Behaviour(text="word " * 50, gap=0.1))
    for number in range(2):
        kill_mid_stream(live_cast, server, f"lost:{number}")
    with clock.shifted(PAST_THE_LEASE):
        assert watchdog.settle_lost() == 2

    lost = LLMCall.objects.filter(status="lost").values_list("cost_micros", flat=True)
    tokens_in, tokens_out = server.billed_tokens()
    billed = tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    spent = Spend.objects.get().spent_micros
    assert billed <= spent <= billed + sum(lost)
    assert sum(LLMCall.objects.values_list("cost_micros", flat=True)) == spent


def test_a_question_of_a_dead_worker_is_asked_again_only_after_its_lease(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    server.behave(Behaviour(hang=True))
    kill_mid_stream(live_cast, server, "turn:7")
    lost = LLMCall.objects.get()

    with pytest.raises(StillRunning):
        live_ask(key="turn:7")
    with clock.shifted(PAST_THE_LEASE):
        answer = live_ask(key="turn:7")

    lost.refresh_from_db()
    assert lost.status == LLMCall.Status.LOST
    assert LLMCall.objects.get(pk=answer.call_id).key == "turn:7#2"
    assert Spend.objects.get().spent_micros == lost.cost_micros + answer.cost_micros


def test_who_took_the_work_over_waits_for_no_lease(live_ask: Ask, server: ModelServer) -> None:
    answers = []

    def take_over(_text: str) -> None:
        if not answers:
            answers.append(live_ask(key="turn:7", takes_over=True))

    with pytest.raises(Overtaken):
        live_ask(key="turn:7", on_text=take_over)

    lost, done = LLMCall.objects.order_by("pk")
    assert (lost.status, done.status) == (LLMCall.Status.LOST, LLMCall.Status.DONE)
    assert answers[0].call_id == done.pk
    spend = Spend.objects.get()
    assert spend.spent_micros == lost.cost_micros + done.cost_micros
    assert spend.reserved_micros == 0


def test_a_worker_that_wakes_after_it_was_written_off_changes_nothing(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    def write_off(_text: str) -> None:
        Reservation.objects.update(lease_until=clock.now() - timedelta(seconds=1))
        watchdog.settle_lost()

    with pytest.raises(Overtaken):
        live_ask(on_text=write_off)

    call = LLMCall.objects.get()
    assert (call.status, call.answer) == (LLMCall.Status.LOST, "")
    spend = Spend.objects.get()
    assert (spend.spent_micros, spend.reserved_micros) == (call.cost_micros, 0)


def test_two_watchdogs_at_once_settle_once(live_cast: Cast, live_ask: Ask) -> None:
    for number in range(5):
        live_ask(key=f"turn:{number}")
    calls = LLMCall.objects.all()
    before = Spend.objects.get().spent_micros
    calls.update(status=LLMCall.Status.RUNNING)
    spend = Spend.objects.get()
    Reservation.objects.all().delete()
    for call in calls:
        Reservation.objects.create(
            call=call, spend=spend, amount_micros=100, lease_until=clock.now()
        )
    Spend.objects.update(reserved_micros=500)

    counts = in_threads(4, lambda _: watchdog.settle_lost())

    assert sum(count for count in counts if isinstance(count, int)) == 5
    spend.refresh_from_db()
    assert (spend.reserved_micros, spend.spent_micros) == (0, before + 500)


def test_the_gateway_needs_no_watchdog_when_nothing_died(live_ask: Ask) -> None:
    live_ask()

    with clock.shifted(timedelta(days=2)):
        assert watchdog.settle_lost() == 0
    assert isinstance(live_ask(), gateway.Answer)
