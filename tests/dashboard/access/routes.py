"""Every address of the site, with something plausible for each variable part."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

_SAMPLES = {
    "int": "1",
    "str": "sample",
    "slug": "sample",
    "path": "1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_PART = re.compile(r"<(?:(\w+):)?\w+>")


def addresses() -> Iterator[str]:
    """Yield one path per route, whatever it is included from."""
    yield from _walk(get_resolver().url_patterns, "/")


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        here = prefix + _filled(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, here)
        else:
            yield here


def _filled(route: str) -> str:
    if route.startswith("^") or "(?P" in route:
        plain = re.sub(r"\(\?P<\w+>[^)]*\)", "sample", route)
        return re.sub(r"[\^$]|\\Z|\.\*|\\", "", plain)
    return _PART.sub(lambda found: _SAMPLES[found.group(1) or "str"], route)
