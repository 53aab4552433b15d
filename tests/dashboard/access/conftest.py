from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from tests.rows import put_back
from tests.town import Town, make_town


@pytest.fixture
def town(db: None) -> Town:
    return put_back(make_town)


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    """Forget how often others of these tests tried to log in."""
    cache.clear()
    yield
    cache.clear()
