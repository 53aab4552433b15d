"""Where a day begins: budgets and sums follow the workspace's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone(name: str) -> tzinfo:
    """Return a time zone; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_day(now: datetime, timezone: str) -> date:
    """Return the date on the workspace's wall."""
    return now.astimezone(zone(timezone)).date()


def day_start(day: date, timezone: str) -> datetime:
    """Return the moment at which a day begins in the workspace."""
    return datetime.combine(day, time.min, tzinfo=zone(timezone))


def last_days(today: date, count: int) -> list[date]:
    """Return `count` days that end with today, oldest first."""
    return [today - timedelta(days=ago) for ago in range(count - 1, -1, -1)]
