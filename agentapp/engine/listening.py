"""Hears from Postgres that lanes are due, in a thread of its own.

A wake-up through the task queue costs a worker more than the decision that it leads to, and fails
with the broker. This one comes from the database that the lane is written to.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg

from agentapp.foundation.database import fresh_connection, own_conninfo
from agentapp.intake.wakeups import CHANNEL

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
LOOK_UP_SECONDS = 0.5  # how soon it notices that it is to end


class Listener:
    """A thread that calls `look` whenever lanes may be due, until it is told to end."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="wake-ups", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def end(self) -> None:
        """Look no more. Returns when the thread has noticed."""
        self._ending.set()
        self._thread.join(LOOK_UP_SECONDS * 4)

    def _listen(self) -> None:
        failures = 0
        while not self._ending.is_set():
            try:
                with psycopg.connect(own_conninfo(), autocommit=True) as session:
                    session.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    self._answer()  # nobody knows what was missed before
                    self._hear(session)
            except psycopg.Error as error:
                logger.warning("wake-ups are off for a moment: %s", type(error).__name__)
            self._ending.wait(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
            failures += 1

    def _hear(self, session: psycopg.Connection) -> None:
        while not self._ending.is_set():
            if list(session.notifies(timeout=LOOK_UP_SECONDS, stop_after=1)):
                self._answer()

    def _answer(self) -> None:
        try:
            with fresh_connection():
                self._look()
        except Exception:  # the listener outlives whatever one look does; the sweep comes anyway
            logger.exception("a look at the lanes failed; the sweep comes within seconds")
