"""Money and sizes. Money is whole micro-dollars: 1_000_000 is one US dollar."""

from __future__ import annotations

MICROS_PER_USD = 1_000_000


def dollars(micros: int) -> str:
    """Return an amount for people: cents with two digits below one cent's noise.

    `1_000_000` is "$1.00"; `2_100` is "0.21 ct"; `0` is "$0.00".
    """
    if 0 < micros < 10_000:
        return f"{micros / 10_000:.2g} ct"
    return f"${micros / MICROS_PER_USD:.2f}"
