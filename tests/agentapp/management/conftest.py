from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agentapp.management.hosts import make_clone, short_folder


@pytest.fixture
def clone() -> Iterator[Path]:
    with short_folder() as folder:
        yield make_clone(folder)


@pytest.fixture
def data(clone: Path) -> Path:
    return clone.parent / "data"
