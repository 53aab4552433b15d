"""Commands that are read, undone and raced at once: done once, and nothing leaves after a stop."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agentapp.commands.services import carry_out
from agentapp.commands.shapes import Answer
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due, mark_sent
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.database import fresh_connection
from agentapp.identity.models import Account
from bots.bridge import Bridge
from tests.agentapp.commands.asking import approved_answer, call
from tests.cast import Cast, hold_logins

CYCLES, SENDERS = 4, 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", ["stop", "help", "ask"])
def test_five_logins_at_once_do_it_once_and_one_answers(live_cast: Cast, command: str) -> None:
    asked = call(live_cast, command, options={"text": "Hello"} if command == "ask" else {})

    def read(_login: int) -> Answer:
        with fresh_connection():
            return carry_out(asked)

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(read, range(5)))

    assert sorted(answer.is_repeated for answer in answers) == [False] + [True] * 4
    assert len({answer.words for answer in answers}) == 1
    assert len({answer.agent_id for answer in answers}) == 1
    assert Draft.objects.count() == (0 if command == "ask" else 1)
    assert Event.objects.filter(type="command.carried_out").count() == 1


@pytest.mark.django_db(transaction=True)
def test_from_an_event_loop_it_is_one_call_and_quick(live_cast: Cast) -> None:
    asked = call(live_cast, "stop", shows_answer=True)

    async def use() -> tuple[Answer, float]:
        bridge = Bridge(threads=1)
        begun = time.monotonic()
        try:
            answer = await bridge.call(carry_out, asked)
        finally:
            bridge.close()
        return answer, time.monotonic() - begun

    answer, seconds = asyncio.run(use())
    assert answer.is_done
    assert seconds < 3.0  # what Discord gives


@pytest.mark.django_db(transaction=True)
def test_no_send_begins_after_a_stop_returned(live_cast: Cast) -> None:
    accounts = list(Account.objects.values_list("pk", flat=True))
    hold_logins("sender")
    returned, finished = threading.Event(), threading.Event()
    begun: dict[bool, list[int]] = {False: [], True: []}

    def sender() -> None:
        while not finished.is_set():
            is_late = returned.is_set()
            for piece in claim_due(holder="sender", accounts=accounts, limit=3):
                begun[is_late].append(piece.outbound_id)
                mark_sent(
                    outbound_id=piece.outbound_id, holder="sender", external_id=piece.dedupe_key
                )
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        for cycle in range(CYCLES):
            for _ in range(5):
                approved_answer(live_cast, live_cast.sam)
            Outbound.objects.filter(state="queued").update(not_before=clock.now())
            carry_out(call(live_cast, "stop", f"$stop{cycle}", shows_answer=True))
            returned.set()
            time.sleep(0.02)
            assert not Outbound.objects.filter(state__in=["queued", "failed"]).exists()
            returned.clear()
            undo = {"options": {"undo": True}, "shows_answer": True}
            carry_out(call(live_cast, "stop", f"$undo{cycle}", **undo))
    finally:
        finished.set()
        for thread in threads:
            thread.join()

    assert begun[False]
    assert begun[True] == []
