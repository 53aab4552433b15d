"""Threads that want the same at one moment get it in one go, each its own result or error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from typing_extensions import override

from agentapp.foundation.database import OpenTransaction
from agentapp.foundation.gathering import Gathered

PATIENCE_SECONDS = 10


class Doubling:
    """Doubles numbers; its first call waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        if not self.has_begun.is_set():
            self.has_begun.set()
            assert self.may_go_on.wait(PATIENCE_SECONDS)
        if any(item < 0 for item in items):
            raise ValueError(str(items[0]))
        return [2 * item for item in items]


def handed_in(gathered: Gathered[int, int], count: int) -> Callable[[], bool]:
    return lambda: len(gathered._waiting) == count


class Ended(BaseException):
    """A thread that is told to end."""


def gather(doubling: Doubling, items: Sequence[int], *, most: int = 32) -> list[object]:
    """Hand the first item in, all others while it is being worked on; return what came of each."""
    gathered = Gathered(doubling, most=most)

    def one(item: int) -> object:
        try:
            return gathered(item)
        except (ValueError, Ended) as error:
            return error

    with ThreadPoolExecutor(len(items)) as pool:
        first = pool.submit(one, items[0])
        assert doubling.has_begun.wait(PATIENCE_SECONDS)
        rest = []
        for count, item in enumerate(items[1:], start=1):
            rest.append(pool.submit(one, item))
            is_in = handed_in(gathered, count)
            while not is_in():
                pass
        doubling.may_go_on.set()
        return [future.result(PATIENCE_SECONDS) for future in (first, *rest)]


def test_who_comes_alone_goes_alone_and_who_comes_meanwhile_goes_together() -> None:
    doubling = Doubling()
    assert gather(doubling, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert doubling.batches == [[1], [2, 3, 4]]


def test_no_batch_is_larger_than_asked() -> None:
    doubling = Doubling()
    assert gather(doubling, [1, 2, 3, 4, 5, 6], most=2) == [2, 4, 6, 8, 10, 12]
    assert doubling.batches == [[1], [2, 3], [4, 5], [6]]


def test_one_bad_item_harms_no_other() -> None:
    doubling = Doubling()
    results = gather(doubling, [1, 2, -3, 4])
    assert [each for each in results if not isinstance(each, Exception)] == [2, 4, 8]
    assert isinstance(results[2], ValueError)
    assert str(results[2]) == "-3"
    assert doubling.batches == [[1], [2, -3, 4], [2], [-3], [4]]


def test_it_works_again_after_a_failure() -> None:
    doubling = Doubling()
    doubling.may_go_on.set()
    gathered = Gathered(doubling)
    with pytest.raises(ValueError, match="-1"):
        gathered(-1)
    assert gathered(1) == 2


class EndingAlone(Doubling):
    """Fails for several; alone, 4 ends the thread that works."""

    @override
    def __call__(self, items: Sequence[int]) -> list[int]:
        results = super().__call__(items)
        if len(items) > 1:
            raise ValueError
        if items == [4]:
            raise Ended
        return results


def test_what_was_done_before_the_thread_ended_keeps_its_result() -> None:
    first, leads, done, ends, after = gather(EndingAlone(), [1, 2, 3, 4, 5])
    assert (first, done) == (2, 6)
    # The thread that worked ends; so does what it had not done any more.
    assert [type(each) for each in (leads, ends, after)] == [Ended, Ended, Ended]


def test_a_thread_that_ends_in_the_middle_leaves_nobody_waiting() -> None:
    def end(items: Sequence[int]) -> list[int]:
        raise Ended

    gathered = Gathered(end)
    for _ in range(2):
        with pytest.raises(Ended):
            gathered(1)


def test_who_is_in_a_transaction_is_refused(transactional_db: None) -> None:
    gathered = Gathered[int, int](list)
    with transaction.atomic(), pytest.raises(OpenTransaction):
        gathered(1)
    assert gathered(1) == 1


def test_many_threads_lose_and_double_nothing() -> None:
    done: list[int] = []

    def carry(items: Sequence[int]) -> list[int]:
        done.extend(items)
        return [2 * item for item in items]

    gathered = Gathered(carry, most=7)
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(gathered, range(2000))) == [2 * n for n in range(2000)]
    assert sorted(done) == list(range(2000))
