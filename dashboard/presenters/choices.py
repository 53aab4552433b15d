"""Short lists to choose from: why a draft is skipped, for how long it may sleep."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agentapp.foundation.errors import Invalid

EVENING = time(18)
MORNING = time(8, 30)


class Chip(NamedTuple):
    """One reason for skipping."""

    code: str
    label: str


class Nap(NamedTuple):
    """One length of a snooze, with the time at which it ends."""

    code: str
    label: str
    when: str


CHIPS = (
    Chip("too_long", "Too long"),
    Chip("tone", "Wrong tone"),
    Chip("not_now", "Not now"),
    Chip("not_true", "Not true"),
)

_LABELS = {"hour": "One hour", "evening": "This evening", "morning": "Tomorrow morning"}


def naps(*, now: datetime, zone: ZoneInfo) -> list[Nap]:
    """Return the snoozes on offer; the evening only while it is ahead."""
    ends = _ends(now, zone)
    return [Nap(code, _LABELS[code], f"{end:%H:%M}") for code, end in ends.items()]


def nap_end(code: str, *, now: datetime, zone: ZoneInfo) -> datetime:
    """Return when a chosen snooze ends; an evening that has begun means one hour.

    Raises:
        Invalid: There is no such choice.
    """
    if code not in _LABELS:
        raise Invalid("Choose how long it should wait.")
    ends = _ends(now, zone)
    return ends.get(code, ends["hour"])


def _ends(now: datetime, zone: ZoneInfo) -> dict[str, datetime]:
    local = now.astimezone(zone)
    ends = {"hour": local + timedelta(hours=1)}
    evening = datetime.combine(local.date(), EVENING, zone)
    if evening - local > timedelta(hours=1):
        ends["evening"] = evening
    ends["morning"] = datetime.combine(local.date() + timedelta(days=1), MORNING, zone)
    return ends
