"""Notices of many threads all go out, each once, and none of them waits for a broken broker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from agentapp.foundation import broker, live

THREADS = 16
NOTICES = 400


@contextmanager
def _hearing() -> Iterator[Any]:
    client: Any = broker.client()
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(live.CHANNEL)
        heard.get_message(timeout=5)
        yield heard


def test_what_many_threads_say_at_one_moment_arrives_each_once() -> None:
    with _hearing() as heard:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda n: live.publish(f"mine:{n}"), range(NOTICES)))
        topics: Counter[str] = Counter()
        while len(topics) < NOTICES and (message := heard.get_message(timeout=5)):
            topic = json.loads(message["data"])["t"]
            topics.update([topic] if topic.startswith("mine:") else [])

    assert topics == Counter(f"mine:{n}" for n in range(NOTICES))


def test_one_after_the_other_keeps_its_order() -> None:
    with _hearing() as heard:
        for n in range(20):
            live.publish("ordered", n=n)
        seen: list[int] = []
        while len(seen) < 20 and (message := heard.get_message(timeout=5)):
            said = json.loads(message["data"])
            seen += [said["n"]] if said["t"] == "ordered" else []

    assert seen == list(range(20))


def test_a_broker_that_fails_is_left_alone_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def failing(notices: list[str]) -> None:
        asked.append(notices)
        raise redis.ConnectionError

    monkeypatch.setattr(live, "_send", failing)
    live.publish("lost")
    live.publish("not even tried")
    assert len(asked) == 1

    broker.forget()
    live.publish("tried")
    assert len(asked) == 2
    broker.forget()
