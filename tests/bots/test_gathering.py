"""Small calls go together, and each hears what became of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bots.gathering import Gathering


class Carrier:
    """Takes batches while its gate is open; refuses odd numbers, breaks on thirteen."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def carry(self, batch: Sequence[int]) -> list[bool]:
        self.batches.append(list(batch))
        await self.gate.wait()
        if 13 in batch:
            raise ConnectionError
        return [item % 2 == 0 for item in batch]


def test_what_comes_during_a_call_goes_together_with_the_next_one() -> None:
    async def work() -> None:
        carrier = Carrier()
        gathering = Gathering(carrier.carry)
        first = asyncio.create_task(gathering.add(0))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(gathering.add(n)) for n in range(1, 6)]
        await asyncio.sleep(0.01)
        assert carrier.batches == [[0]]
        carrier.gate.set()
        assert await first
        assert await asyncio.gather(*rest) == [False, True, False, True, False]
        assert carrier.batches == [[0], [1, 2, 3, 4, 5]]
        assert await gathering.add(6)

    asyncio.run(work())


def test_a_failure_reaches_its_own_batch_only() -> None:
    async def work() -> None:
        carrier = Carrier()
        gathering = Gathering(carrier.carry)
        good = asyncio.create_task(gathering.add(2))
        await asyncio.sleep(0.01)
        bad = [asyncio.create_task(gathering.add(n)) for n in (12, 13)]
        await asyncio.sleep(0.01)
        carrier.gate.set()
        assert await good
        for task in bad:
            with pytest.raises(ConnectionError):
                await task
        assert await gathering.add(4)

    asyncio.run(work())


def test_who_is_cancelled_leaves_the_item_on_its_way() -> None:
    async def work() -> None:
        carrier = Carrier()
        gathering = Gathering(carrier.carry)
        waiting = asyncio.create_task(gathering.add(2))
        companion = asyncio.create_task(gathering.add(4))
        await asyncio.sleep(0.01)
        waiting.cancel()
        carrier.gate.set()
        assert await companion
        assert carrier.batches == [[2, 4]]

    asyncio.run(work())
