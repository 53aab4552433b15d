"""Publishes live notices: hints that something changed, never the change itself.

A notice is a JSON object `{"t": topic, "id": id}`. Losing one costs nothing but time: pages also
read the Event table. Publishing never raises and never blocks longer than the broker's timeout.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping

import redis
from django.db import transaction

from agentapp.foundation import broker

logger = logging.getLogger(__name__)

CHANNEL = "greenroom.live"


class _Line:
    """The way to the broker: what is handed in while somebody sends goes with their next round.

    Many threads say something in one moment, and each round costs as much as a small query.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._is_busy = False
        self._lock = threading.Lock()

    def send(self, notices: Iterable[str]) -> None:
        """Send notices, and what others hand in meanwhile; or leave them to whoever sends now."""
        with self._lock:
            self._waiting += notices
            if self._is_busy:
                return
            self._is_busy = True
        while taken := self._taken():
            try:
                _send(taken)
            except redis.RedisError as error:
                broker.rest()
                logger.warning("live notices are off for a moment: %s", type(error).__name__)
            except BaseException:
                self._is_busy = False  # the next one to send takes the rest along
                raise

    def _taken(self) -> list[str]:
        with self._lock:
            notices, self._waiting = self._waiting, []
            self._is_busy = bool(notices)
            return notices


_line = _Line()


def publish(topic: str, **fields: object) -> None:
    """Send one notice now; used for what is not in the database (tokens, typing)."""
    publish_all([(topic, fields)])


def publish_all(notices: Iterable[tuple[str, Mapping[str, object]]]) -> None:
    """Send notices now in one go, from (topic, fields); see `publish`."""
    written = [json.dumps({"t": topic, **fields}) for topic, fields in notices]
    if written and not broker.is_resting():
        _line.send(written)


def _send(notices: list[str]) -> None:
    if len(notices) == 1:
        broker.client().publish(CHANNEL, notices[0])
        return
    with broker.client().pipeline(transaction=False) as together:
        for notice in notices:
            together.publish(CHANNEL, notice)
        together.execute()


def publish_on_commit(topic: str, row_id: int | str) -> None:
    """Send a notice once the surrounding transaction is committed."""
    transaction.on_commit(lambda: publish(topic, id=row_id))
