from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(scope="session", autouse=True)
def static_folder() -> None:
    """Have the folder of collected files, which a deployment makes before it starts."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
