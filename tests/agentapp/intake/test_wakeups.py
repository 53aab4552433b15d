"""Wake-ups are hints: sent after commit, and no trouble when nobody hears them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import transaction

from agentapp.foundation.database import own_conninfo
from agentapp.intake import services as intake
from agentapp.intake.wakeups import CHANNEL
from tests.cast import Cast
from tests.fakes.connecting import in_threads


@pytest.fixture
def ear(live_cast: Cast) -> Iterator[psycopg.Connection]:
    with psycopg.connect(own_conninfo(), autocommit=True) as session:
        session.execute(f"LISTEN {CHANNEL}")
        yield session


def heard(ear: psycopg.Connection) -> int:
    return len(list(ear.notifies(timeout=0.2)))


def say(cast: Cast, text: str = "Hello.") -> None:
    intake.post_web_message(user=cast.sam, room_id=cast.lounge.pk, text=text)


def test_a_message_wakes_the_workers(ear: psycopg.Connection, live_cast: Cast) -> None:
    say(live_cast)
    assert heard(ear) == 1


def test_threads_of_the_web_server_wake_them_too(ear: psycopg.Connection, live_cast: Cast) -> None:
    assert in_threads(2, lambda n: say(live_cast, f"Hello {n}.")) == [None, None]
    assert heard(ear) == 2


def test_nobody_is_woken_by_a_transaction_that_failed(
    ear: psycopg.Connection, live_cast: Cast
) -> None:
    @transaction.atomic
    def fail_late() -> None:
        say(live_cast)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_late()
    assert heard(ear) == 0
