"""Keeps the price list in the database and looks prices up in it."""

from __future__ import annotations

import os
from datetime import date

from agentapp.foundation.units import dollars
from agentapp.llm import queries
from agentapp.llm.models import Rate
from agentapp.llm.rates import listed_rates
from agentapp.llm.rules.money import Price

_loaded_in: set[int] = set()  # process ids: each process looks once for lines it may know better


def known_price(*, kind: str, base_url: str, model: str, day: date) -> Price:
    """Return a model's price on a day; loads the price list at its first use."""
    if os.getpid() not in _loaded_in:
        load_rates()
        _loaded_in.add(os.getpid())
    price = queries.price_of(kind=kind, base_url=base_url, model=model, day=day)
    if price is None:
        load_rates()
        price = queries.price_of(kind=kind, base_url=base_url, model=model, day=day)
    if price is None:
        raise LookupError(f"no rate, not even the cautious one, on {day}")
    return price


def load_rates() -> int:
    """Write the listed prices that this database does not have yet; harmless when repeated.

    Returns:
        How many lines the list has.
    """
    rows = [
        Rate(
            model=row.model,
            effective_from=row.effective_from,
            input_micros=row.input_micros,
            output_micros=row.output_micros,
            cached_micros=row.cached_micros,
            source=row.source,
        )
        for row in listed_rates()
    ]
    return len(Rate.objects.bulk_create(rows, ignore_conflicts=True))


def price_in_words(price: Price) -> str:
    """Say what a model costs, for pages and proofs."""
    if price.is_free:
        return "free: it runs on your own machines"
    rate = f"{dollars(price.input_micros)} in, {dollars(price.output_micros)} out"
    if not price.is_known:
        return f"price unknown, counted at {rate} per million tokens"
    return f"{rate} per million tokens"
