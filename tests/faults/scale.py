"""How much a storm does: a little with the tests, and what `make faults` asks for by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

REPORT = "FAULTS_REPORT"  # a file, in the environment


def number(what: str, few: int) -> int:
    """Return how many of something a storm goes through; `few` with the tests."""
    return int(os.environ.get(f"FAULTS_{what.upper()}", few))


def report(**figures: float) -> None:
    """Add to the last line of `make faults`; nothing happens with the tests."""
    place = os.environ.get(REPORT)
    if place:
        with Path(place).open("a") as lines:
            lines.write(json.dumps(figures) + "\n")
