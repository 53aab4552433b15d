"""How often a process that serves looks for objects that hold one another.

A full look passes every object there is, a quarter of a million after the imports, while no other
thread runs: 110 to 300 ms at a time, and a twentieth of a busy worker's processor time.
"""

from __future__ import annotations

import gc

YOUNG = 50_000
"""Objects made and not yet freed before the youngest are looked at: some 20 MB at the very most."""

OLDER = 20  # looks at the youngest for one at the next older, and so on


def collect_rarely() -> None:
    """Leave what is loaded now out of every later look, and look less often.

    For processes that serve for days; what they make for a request is mostly freed at once,
    without any look. Nothing that is loaded at this moment is ever collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
