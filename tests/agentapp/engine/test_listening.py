"""A worker that listens is woken by a message, and listens again after its connection was cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection

from agentapp.engine.listening import Listener
from agentapp.intake import services as intake
from tests.cast import Cast

PATIENCE = 10.0
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %%lanes'"


class Looks:
    """Counts looks, and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self.fails: Exception | None = None
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
        if self.fails is not None:
            raise self.fails

    def wait_beyond(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count > count, PATIENCE)


@pytest.fixture
def looks(live_cast: Cast) -> Iterator[Looks]:
    looks = Looks()
    listener = Listener(looks)
    listener.start()
    assert looks.wait_beyond(0), "it looks once when it begins: who knows what was missed"
    yield looks
    listener.end()
    ended = looks.count
    say(live_cast)
    time.sleep(0.05)
    assert looks.count == ended


def say(cast: Cast) -> None:
    intake.post_web_message(user=cast.sam, room_id=cast.lounge.pk, text="Hello.")


def test_a_message_makes_it_look(looks: Looks, live_cast: Cast) -> None:
    before = looks.count
    say(live_cast)
    assert looks.wait_beyond(before)


def test_it_listens_again_after_a_cut_and_looks_at_once(looks: Looks, live_cast: Cast) -> None:
    before = looks.count
    with connection.cursor() as cursor:
        cursor.execute(CUT)
        assert cursor.rowcount == 1
    assert looks.wait_beyond(before)
    before = looks.count
    say(live_cast)
    assert looks.wait_beyond(before)


@pytest.mark.parametrize("error", [DatabaseError(), RuntimeError("of no kind that it knows")])
def test_a_look_that_fails_is_not_its_last(looks: Looks, live_cast: Cast, error: Exception) -> None:
    looks.fails = error
    before = looks.count
    say(live_cast)
    assert looks.wait_beyond(before)
    before = looks.count
    say(live_cast)
    assert looks.wait_beyond(before)
