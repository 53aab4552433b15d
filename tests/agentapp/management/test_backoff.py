from __future__ import annotations

from agentapp.management.stack.backoff import Backoff


def test_delays_double_up_to_the_longest() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay(ran_seconds=0.1) for _ in range(9)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


def test_a_minute_of_running_starts_the_delays_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay(ran_seconds=59.9)
    assert backoff.next_delay(ran_seconds=60.0) == 0.2


def test_a_thousand_crashes_still_wait_ten_seconds() -> None:
    backoff = Backoff(crashes=5_000)
    assert backoff.next_delay(ran_seconds=0.0) == 10.0
