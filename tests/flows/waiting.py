"""Waiting for what happens outside of a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 40.0  # other work may hold the machine


def eventually(question: Callable[[], object], answer: object) -> None:
    """Ask until it gives this answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (given := question()) != answer:
        assert time.monotonic() < deadline, f"it is still {given!r}, not {answer!r}"
        time.sleep(0.1)
