"""Who is thinking now, asked for many agents at once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentapp.identity.models import Agent, Room
from agentapp.intake.queries import thinking_in
from agentapp.turns.models import Turn
from tests.cast import Cast


def thinks(cast: Cast, agent: Agent, number: int, **fields: object) -> None:
    values: dict[str, object] = {
        "workspace": cast.workspace,
        "agent": agent,
        "room": cast.lounge,
        "trigger_id": number,
        "status": Turn.Status.RUNNING,
        "decision": Turn.Decision.RESPOND,
    }
    Turn.objects.create(**values | fields)


@pytest.fixture
def pond(cast: Cast) -> Room:
    return Room.objects.create(
        workspace=cast.workspace, platform="matrix", external_id="!pond", name="Pond"
    )


def test_each_gets_its_own_rooms_by_one_query(cast: Cast, pond: Room) -> None:
    thinks(cast, cast.ada, 1)
    thinks(cast, cast.ada, 2, room=pond)
    thinks(cast, cast.bo, 3, status=Turn.Status.DONE)
    thinks(cast, cast.bo, 4, decision=Turn.Decision.IGNORE)
    asked = [(cast.ada.pk, "matrix"), (cast.bo.pk, "matrix"), (cast.ada.pk, "local")]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert thinking_in(asked) == [["!pond"], [], [cast.lounge.external_id]]
    assert len(queries) == 1
