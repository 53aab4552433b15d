"""Wake-ups are hints: coalesced, sent after commit, and no trouble when nobody takes them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import redis
from celery import current_app
from django.conf import settings as live_settings
from django.db import transaction
from kombu import pools
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from agentapp.conversation.models import Message
from agentapp.foundation.broker import forget, is_resting
from agentapp.intake import services as intake
from agentapp.intake import wakeups
from tests.cast import Cast
from tests.fakes.connecting import in_threads

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def fresh_broker() -> Iterator[redis.Redis]:
    forget()
    broker = redis.Redis.from_url(live_settings.REDIS_URL)
    broker.flushdb()
    yield broker
    broker.flushdb()
    broker.close()
    forget()


def send_tasks_to(url: str) -> None:
    """Point Celery there, also for what it keeps ready from before."""
    current_app.conf.broker_url = url
    pools.reset()
    current_app._pool = current_app.amqp._producer_pool = None


def waiting(broker: redis.Redis) -> int:
    return int(broker.llen("default"))


def test_many_messages_cost_one_task(fresh_broker: redis.Redis) -> None:
    for _ in range(20):
        wakeups.wake()
    assert waiting(fresh_broker) == 1


def test_after_a_worker_looked_the_next_message_wakes_again(fresh_broker: redis.Redis) -> None:
    wakeups.wake()
    wakeups.answered()
    wakeups.wake()
    assert waiting(fresh_broker) == 2


def test_threads_of_the_web_server_reach_the_same_broker(
    fresh_broker: redis.Redis, db: None
) -> None:
    assert in_threads(2, lambda _: wakeups.wake()) == [None, None]
    assert waiting(fresh_broker) == 1


def test_nothing_is_sent_for_a_transaction_that_failed(
    fresh_broker: redis.Redis, live_cast: Cast
) -> None:

    @transaction.atomic
    def fail_late() -> None:
        intake.post_web_message(user=live_cast.sam, room_id=live_cast.lounge.pk, text="Hello.")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_late()
    assert waiting(fresh_broker) == 0
    intake.post_web_message(user=live_cast.sam, room_id=live_cast.lounge.pk, text="Hello.")
    assert waiting(fresh_broker) == 1


def test_without_a_broker_a_message_is_posted_all_the_same(
    cast: Cast,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.REDIS_URL = NOWHERE
    started = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        intake.post_web_message(user=cast.sam, room_id=cast.lounge.pk, text="Hello.")
    assert time.monotonic() - started < 1
    assert Message.objects.exists()


def test_a_broker_that_dies_between_flag_and_task_is_no_trouble(settings: Settings) -> None:
    broker = current_app.conf.broker_url
    send_tasks_to(NOWHERE)
    try:
        started = time.monotonic()
        wakeups.wake()
        assert time.monotonic() - started < 1
        assert is_resting()
    finally:
        send_tasks_to(broker)


def test_a_broker_that_accepts_and_says_nothing_costs_a_moment(settings: Settings) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        started = time.monotonic()
        wakeups.wake()
        wakeups.wake()
        assert time.monotonic() - started < 1
