"""What the live channel carries while an answer is written, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from agentapp.foundation import live as notices
from tests.agentapp.engine.stage import Stage
from tests.fakes.model_server import Behaviour


@pytest.fixture
def channel() -> Iterator[redis.client.PubSub]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(notices.CHANNEL)
    subscription.get_message(timeout=1)
    yield subscription
    subscription.close()
    client.close()


def heard(channel: redis.client.PubSub) -> list[dict[str, object]]:
    found = []
    while (message := channel.get_message(timeout=0.2)) is not None:
        found.append(json.loads(message["data"]))
    return found


def test_words_go_to_the_owners_topic_and_typing_to_the_room(
    live: Stage, channel: redis.client.PubSub
) -> None:
    live.server.always(Behaviour(text="One two three four five six.", gap=0.06))
    live.say("@Bo hello")
    live.run()
    frames = heard(channel)
    turn = live.turn(live.cast.bo)
    words = [frame for frame in frames if "tokens" in frame]
    assert {frame["t"] for frame in words} == {f"turn:{turn.pk}"}
    assert 1 < len(words) < 6
    assert "".join(str(frame["tokens"]) for frame in words) == turn.answer
    typing = [frame for frame in frames if "typing" in frame]
    assert {frame["t"] for frame in typing} == {f"room:{live.cast.lounge.pk}"}
    assert {frame["typing"] for frame in typing} == {str(live.cast.bo.pk)}
    assert (typing[0]["on"], typing[-1]["on"]) == (True, False)


def test_a_room_does_not_see_typing_for_what_will_wait(
    live: Stage, channel: redis.client.PubSub
) -> None:
    live.say("@Ada hello")
    live.run()
    frames = heard(channel)
    assert any("tokens" in frame for frame in frames)
    assert not any("typing" in frame for frame in frames)
