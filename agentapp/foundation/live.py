"""Publishes live notices: hints that something changed, never the change itself.

A notice is a JSON object `{"t": topic, "id": id}`. Losing one costs nothing but time: pages also
read the Event table. Publishing never raises and never blocks longer than the broker's timeout.
"""

from __future__ import annotations

import json
import logging

import redis
from django.db import transaction

from agentapp.foundation import broker

logger = logging.getLogger(__name__)

CHANNEL = "greenroom.live"


def publish(topic: str, **fields: object) -> None:
    """Send one notice now; used for what is not in the database (tokens, typing)."""
    if broker.is_resting():
        return
    try:
        broker.client().publish(CHANNEL, json.dumps({"t": topic, **fields}))
    except redis.RedisError as error:
        broker.rest()
        logger.warning("live notices are off for a moment: %s", type(error).__name__)


def publish_on_commit(topic: str, row_id: int | str) -> None:
    """Send a notice once the surrounding transaction is committed."""
    transaction.on_commit(lambda: publish(topic, id=row_id))
