"""Carries many small calls in one: what is handed in while a call runs goes with the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Gathering(Generic[T]):
    """Hands items on in batches, one batch after the other.

    Nothing waits for company: the first item goes at once, alone.

    Args:
        carry: Takes a batch and returns those of its items that it could do something with.
    """

    def __init__(self, carry: Callable[[Sequence[T]], Awaitable[AbstractSet[T]]]) -> None:
        self._carry = carry
        self._waiting: list[T] = []
        self._running: asyncio.Task[AbstractSet[T]] | None = None
        self._next: asyncio.Task[AbstractSet[T]] | None = None

    async def add(self, item: T) -> bool:
        """Hand an item on; tell whether something was done with it.

        Who is cancelled meanwhile leaves the item on its way.

        Raises:
            Exception: What `carry` raised for the batch that held this item.
        """
        self._waiting.append(item)
        if self._next is None:
            self._next = asyncio.create_task(self._carry_after(self._running))
        return item in await asyncio.shield(self._next)

    async def _carry_after(self, before: asyncio.Task[AbstractSet[T]] | None) -> AbstractSet[T]:
        if before is not None:
            await asyncio.wait([before])
        batch, self._waiting = self._waiting, []
        self._running, self._next = self._next, None
        return await self._carry(batch)
