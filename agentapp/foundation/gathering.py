"""Does in one go what many threads want done at the same moment.

A hundred thoughts each want a few rows read and a few written; done together, that is a few
statements and one commit for all of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agentapp.foundation.database import refuse_open_transaction, released_connection

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 32


@dataclass
class _Ticket(Generic[T, R]):
    """One thread's item; `turn` is set when its result is there, or when it is to carry."""

    item: T
    turn: threading.Event = field(default_factory=threading.Event)
    result: list[R] = field(default_factory=list)
    error: BaseException | None = None

    def outcome(self) -> R:
        if self.error is not None:
            raise self.error
        return self.result[0]


class Gathered(Generic[T, R]):
    """A function of one item, carried out for all that were handed in meanwhile.

    Nothing waits for company: whoever comes to an idle one goes at once, alone. Those who come
    while it works are next, together; one of their threads does the work of all of them.

    Args:
        carry: Takes items and returns what became of each, in their order. Where it fails for
            several, it is asked again for each alone, so it must leave nothing behind.
        most: Items in one go.
    """

    def __init__(
        self, carry: Callable[[Sequence[T]], Sequence[R]], *, most: int = MOST_AT_ONCE
    ) -> None:
        self._carry = carry
        self._most = most
        self._waiting: list[_Ticket[T, R]] = []
        self._is_carrying = False
        self._lock = threading.Lock()

    def __call__(self, item: T) -> R:
        """Have an item carried out and return what became of it.

        Raises:
            Exception: What `carry` raised for this item alone.
            OpenTransaction: The caller is in a transaction, of which this would not be a part.
        """
        refuse_open_transaction()
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._is_carrying = not self._is_carrying, True
        if not leads:
            # A pool full of those who wait would leave no connection for the one who works.
            with released_connection():
                ticket.turn.wait()
            if ticket.result or ticket.error is not None:
                return ticket.outcome()
        self._lead()
        return ticket.outcome()

    def _lead(self) -> None:
        """Carry the oldest items, this thread's among them, and let the next thread lead."""
        with self._lock:
            batch = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            self._fill(batch)
        except BaseException as error:  # this thread ends; the others must not wait for it
            for ticket in batch:
                if not ticket.result and ticket.error is None:
                    ticket.error = error
            raise
        finally:
            with self._lock:
                self._is_carrying = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].turn.set()
            for ticket in batch:
                ticket.turn.set()

    def _fill(self, batch: Sequence[_Ticket[T, R]]) -> None:
        try:
            results = self._carry([ticket.item for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result.append(result)
        except Exception as error:  # noqa: BLE001  (one item's; whose shows when each is alone)
            if len(batch) == 1:
                batch[0].error = error
                return
            logger.info("%d together failed with %s: one by one", len(batch), type(error).__name__)
            for ticket in batch:
                ticket.result.clear()
                self._fill([ticket])
