"""Rate limits: a bucket for each route and place, one limit over everything a bot asks."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass

Bucket = tuple[str, str, str]  # route, place, token
GLOBAL = "global"


class Limited(Exception):
    """A request came too early; it may come again after so many seconds."""

    def __init__(self, retry_after: float, scope: str) -> None:
        super().__init__(scope)
        self.retry_after = retry_after
        self.scope = scope


@dataclass
class _Window:
    ends: float
    used: int = 0


class Limits:
    """Counts by the real clock: clients wait by theirs."""

    def __init__(self) -> None:
        self.each: tuple[int, float] = (1000, 1.0)  # requests, seconds
        self.of_route: dict[str, tuple[int, float]] = {}
        self.over_all: int | None = None  # requests of one token in a second
        self._closed: dict[str, float] = {}
        self._windows: dict[Bucket, _Window] = defaultdict(lambda: _Window(0.0))

    def close(self, route: str, seconds: float) -> None:
        """Refuse everything on a route, or everything at all, for so long."""
        self._closed[route] = time.monotonic() + seconds

    def take(self, bucket: Bucket) -> dict[str, str]:
        """Count a request; return the headers that tell what is left.

        Raises:
            Limited: It came too early. Requests of nobody are under no global limit.
        """
        now = time.monotonic()
        route, _, token = bucket
        for name, scope in ((GLOBAL, "global"), (route, "user")):
            if now < self._closed.get(name, 0.0):
                raise Limited(self._closed[name] - now, scope)
        if self.over_all is not None and token:
            self._count((GLOBAL, "", token), self.over_all, 1.0, now)
        limit, per = self.of_route.get(route, self.each)
        window = self._count(bucket, limit, per, now)
        return self._headers(bucket, limit, window, now)

    def _count(self, bucket: Bucket, limit: int, per: float, now: float) -> _Window:
        window = self._windows[bucket]
        if now >= window.ends:
            window.ends, window.used = now + per, 0
        if window.used >= limit:
            scope = "global" if bucket[0] == GLOBAL else "user"
            raise Limited(window.ends - now, scope)
        window.used += 1
        return window

    @staticmethod
    def _headers(bucket: Bucket, limit: int, window: _Window, now: float) -> dict[str, str]:
        left = window.ends - now
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - window.used),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": f"{hash(bucket[0]) & 0xFFFFFFFFFFFF:012x}",
        }


def headers_of(limited: Limited) -> dict[str, str]:
    """Return what goes with a 429. Without `Via`, clients take it for a ban of their address."""
    told = {
        "Retry-After": str(math.ceil(limited.retry_after)),
        "X-RateLimit-Scope": limited.scope,
        "X-RateLimit-Reset-After": f"{limited.retry_after:.3f}",
    }
    return told | ({"X-RateLimit-Global": "true"} if limited.scope == "global" else {})
