"""Carries many small calls in one: what is handed in while a call runs goes with the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """Hands items on in batches, one batch after the other.

    Nothing waits for company: the first item goes at once, alone.

    Args:
        carry: Takes a batch and returns what became of each item, in their order.
    """

    def __init__(self, carry: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._carry = carry
        self._waiting: list[T] = []
        self._running: asyncio.Task[Sequence[R]] | None = None
        self._next: asyncio.Task[Sequence[R]] | None = None

    async def add(self, item: T) -> R:
        """Hand an item on; return what became of it.

        Who is cancelled meanwhile leaves the item on its way.

        Raises:
            Exception: What `carry` raised for the batch that held this item.
        """
        place = len(self._waiting)
        self._waiting.append(item)
        if self._next is None:
            self._next = asyncio.create_task(self._carry_after(self._running))
        return (await asyncio.shield(self._next))[place]

    async def _carry_after(self, before: asyncio.Task[Sequence[R]] | None) -> Sequence[R]:
        if before is not None:
            await asyncio.wait([before])
        batch, self._waiting = self._waiting, []
        self._running, self._next = self._next, None
        return await self._carry(batch)
