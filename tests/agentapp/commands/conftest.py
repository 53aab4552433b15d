"""The lounge with its people, rolled back after the test; no model is connected."""

from __future__ import annotations

import pytest

from tests.agentapp.engine.stage import Stage
from tests.cast import Cast


@pytest.fixture
def stage(cast: Cast) -> Stage:
    return Stage(cast)
