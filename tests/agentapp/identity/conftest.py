from __future__ import annotations

import pytest

from tests.rows import put_back
from tests.town import Town, make_town


@pytest.fixture
def town(db: None) -> Town:
    return put_back(make_town)
