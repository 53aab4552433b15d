"""Exchanges as they are stored."""

from __future__ import annotations

from agentapp.events.models import Event
from agentapp.identity.models import Agent
from agentapp.relations.models import Relationship
from agentapp.relations.services import Exchange, touch
from tests.cast import Cast
from tests.fakes.connecting import in_threads


def _exchange(cast: Cast, agent: Agent) -> Exchange:
    person = cast.identity(cast.sam).person
    assert person is not None
    return Exchange(
        workspace_id=cast.workspace.pk,
        agent_id=agent.pk,
        person_id=person.pk,
        is_monologue=False,
    )


def _touch(cast: Cast, times: int = 1) -> Relationship:
    touch([_exchange(cast, cast.ada)] * times)
    return Relationship.objects.get(agent=cast.ada)


def test_the_first_exchange_makes_the_bond_and_says_so(cast: Cast) -> None:
    row = _touch(cast)
    assert (row.trust, row.exchanges) == (1, 1)
    assert row.last_contact_at is not None
    assert Event.objects.get(type="relationship.changed").payload == {"trust": 1.0, "level": 1}


def test_exchanges_at_the_same_moment_are_all_counted(live_cast: Cast) -> None:
    in_threads(6, lambda _: _touch(live_cast))
    row = Relationship.objects.get()
    assert (row.exchanges, row.trust) == (6, 1)


def test_several_exchanges_written_together_are_all_counted(cast: Cast) -> None:
    touch([_exchange(cast, agent) for agent in (cast.bo, cast.ada, cast.ada)])
    rows = {row.agent_id: row for row in Relationship.objects.all()}
    assert {pk: row.exchanges for pk, row in rows.items()} == {cast.ada.pk: 2, cast.bo.pk: 1}
    assert rows[cast.ada.pk].trust == 1
    assert Event.objects.filter(type="relationship.changed").count() == 3
    touch([])
