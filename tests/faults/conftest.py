from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.fakes.model_server import ModelServer
from tests.faults.course import Begin
from tests.faults.storm import Storm
from tests.faults.victims import nursery


@pytest.fixture
def begin(transactional_db: None, tmp_path: Path) -> Iterator[Begin]:
    """A storm on an empty database; the clock is as it was after it."""

    @contextmanager
    def storm(*, kills: int, mutation: str = "") -> Iterator[Storm]:
        log = tmp_path / "victims.log"
        with ModelServer() as server, nursery(log=log, mutation=mutation) as victims:
            yield Storm(server=server, nursery=victims, kills=kills)

    yield storm
    with connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = '0'")
