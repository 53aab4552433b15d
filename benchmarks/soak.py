"""A busy host for ten minutes: 1,200 messages a minute in 200 rooms, then ten times that at once.

One real worker process, one sender, embedded Postgres with fsync on; one message in six is for the
agent of its room, as many as it may answer one person. What is measured is whether memory grows
(beside what it was after the first minute) and how long the work of the burst takes (beside how
long the burst itself lasted).

    python -m benchmarks.soak --minutes 10 --speed 2

At speed 2 messages come twice as fast, and the database's clock goes twice as fast as well. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from agentapp.management.stack import commands
from benchmarks.measuring import memory_bytes, percentile
from benchmarks.processes import process, stage
from benchmarks.rooms import latencies, published, say, seed, warm

if TYPE_CHECKING:
    from agentapp.identity.models import Room, User

ROOMS = 200
PER_MINUTE = 1_200
ADDRESSED_EVERY = 6
BURST_SECONDS, BURST_TIMES = 10, 10
HANDS = 4  # that write at once
PATIENCE_SECONDS = 300.0
LIMITS_PASS = 700  # seconds, after which everybody may be answered again


@dataclass
class Crowd:
    """Everybody who talks, one message after the other."""

    places: list[tuple[User, Room]]
    pool: ThreadPoolExecutor
    said: int = 0

    def say(self, count: int) -> None:
        """Let the next ones say something, and wait until it is taken in."""
        numbers = range(self.said, self.said + count)
        self.said += count
        list(self.pool.map(self._one, numbers))

    def _one(self, n: int) -> None:
        from agentapp.foundation.database import fresh_connection

        user, room = self.places[n % len(self.places)]
        # Rounds differ, so that each room gets its share of both kinds.
        is_addressed = (n + n // len(self.places)) % ADDRESSED_EVERY == 0
        with fresh_connection():
            say(user, room, "Ada, what grows in the shade?" if is_addressed else "It rained again.")


def main() -> None:
    """Run the minutes and the burst, and print what became of memory and queue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--speed", type=float, default=2)
    asked = parser.parse_args()
    with stage(), process(*commands.WORKER) as worker, process(*commands.BOTS) as bots:
        crowd = Crowd(seed(ROOMS), ThreadPoolExecutor(HANDS))
        warm(crowd.places)
        _let_pass(LIMITS_PASS)
        samples, behind = _minutes(crowd, (worker, bots), asked.minutes, asked.speed)
        replies, waits = published(), latencies(newest=500)
        _let_pass(LIMITS_PASS)
        begun = time.monotonic()
        crowd.say(PER_MINUTE * BURST_TIMES * BURST_SECONDS // 60)
        came = time.monotonic() - begun
        emptied = _until_empty() if _waits() else 0.0
    _print(asked.minutes, asked.speed, samples, behind, replies, waits, came, emptied)


def _minutes(
    crowd: Crowd, pids: tuple[int, int], minutes: float, speed: float
) -> tuple[list[float], float]:
    """Return memory (MB) at the end of each simulated minute, and how late the last message was."""
    samples: list[float] = []
    begun, per_second = time.monotonic(), PER_MINUTE / 60 * speed
    seconds = minutes * 60 / speed
    second = 0
    while second < seconds:
        crowd.say(round(per_second))
        second += 1
        if speed > 1:
            _let_pass(speed - 1)
        time.sleep(max(begun + second - time.monotonic(), 0))
        if second % round(60 / speed) == 0:
            samples.append(sum(map(memory_bytes, pids)) / 1e6)
    return samples, time.monotonic() - begun - seconds


def _waits() -> bool:
    from django.db.models import F

    from agentapp.drafts.models import Outbound
    from agentapp.intake.models import Lane

    undecided = Lane.objects.filter(wanted_through__gt=F("decided_through"))
    return (
        undecided.exists() or Outbound.objects.filter(state__in=["queued", "publishing"]).exists()
    )


def _until_empty() -> float:
    begun = time.monotonic()
    while _waits():
        if time.monotonic() > begun + PATIENCE_SECONDS:
            raise SystemExit(f"work still waits after {PATIENCE_SECONDS:.0f} seconds")
        time.sleep(0.05)
    return time.monotonic() - begun


def _let_pass(seconds: float) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [seconds]
        )


def _print(
    minutes: float,
    speed: float,
    samples: list[float],
    behind: float,
    replies: int,
    waits: list[float],
    came: float,
    emptied: float,
) -> None:
    growth = (samples[-1] / samples[0] - 1) * 100
    print(f"{minutes:.0f} minutes at {PER_MINUTE} messages a minute, speed {speed:.0f}\n")
    print(f"memory of worker and sender after the first minute {samples[0]:8.1f} MB")
    print(f"memory at the end                                  {samples[-1]:8.1f} MB")
    print(f"growth                                             {growth:8.1f} %")
    print(f"the last message was late by                       {behind:8.1f} s")
    print(f"question to reply, p95 of the last 500             {percentile(waits, 0.95):8.0f} ms")
    print(f"a burst of {BURST_TIMES} times as many came in              {came:8.1f} s")
    print(f"and its work was done after another                {emptied:8.1f} s")
    print(
        json.dumps(
            {
                "benchmark": "soak",
                "minutes": minutes,
                "speed": speed,
                "memory_first_mb": round(samples[0], 1),
                "memory_last_mb": round(samples[-1], 1),
                "growth_percent": round(growth, 1),
                "late_seconds": round(behind, 1),
                "replies": replies,
                "p95_ms": round(percentile(waits, 0.95)),
                "burst_seconds": round(came, 1),
                "empty_after_seconds": round(emptied, 1),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
