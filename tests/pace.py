"""Limits in seconds are meant for a machine that does nothing else; this one may be slower now.

A limit that a busy hour breaks proves nothing. One that knows how slow the hour is still tells
"at once" from "after the next poll".
"""

from __future__ import annotations

import os
import time

SUMS = 50_000
SUMS_SECONDS = 0.005  # what they take where the limits were set: 2 idle cores of 2.5 GHz
KNOWN_SECONDS = 3.0  # what was measured counts for so long
MOST = 8.0  # a machine slower than this can prove no limit

_measured = (float("-inf"), 1.0)  # when, and how many times as long things take


def allowed(seconds: float) -> float:
    """Return how long, at this moment, may take what takes `seconds` on an idle machine."""
    return seconds * slowness()


def slowness() -> float:
    """Return how many times as long as on an idle machine things take here now; 1 to `MOST`."""
    global _measured  # noqa: PLW0603 - one figure per process, as long as it counts
    at, known = _measured
    if time.monotonic() - at > KNOWN_SECONDS:
        known = min(max(1.0, _by_sums(), os.getloadavg()[0] / (os.cpu_count() or 1)), MOST)
        _measured = (time.monotonic(), known)
    return known


def _by_sums() -> float:
    begun, total = time.monotonic(), 0
    for number in range(SUMS):
        total += number * number % 7
    return (time.monotonic() - begun) / SUMS_SECONDS
