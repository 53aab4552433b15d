"""Exchanges as they are stored."""

from __future__ import annotations

from agentapp.events.models import Event
from agentapp.relations.models import Relationship
from agentapp.relations.services import touch
from tests.cast import Cast
from tests.fakes.connecting import in_threads


def _touch(cast: Cast) -> Relationship:
    person = cast.identity(cast.sam).person
    assert person is not None
    return touch(
        workspace_id=cast.workspace.pk,
        agent_id=cast.ada.pk,
        person_id=person.pk,
        is_monologue=False,
    )


def test_the_first_exchange_makes_the_bond_and_says_so(cast: Cast) -> None:
    row = _touch(cast)
    assert (row.trust, row.exchanges) == (1, 1)
    assert row.last_contact_at is not None
    assert Event.objects.get(type="relationship.changed").payload == {"trust": 1.0, "level": 1}


def test_exchanges_at_the_same_moment_are_all_counted(live_cast: Cast) -> None:
    in_threads(6, lambda _: _touch(live_cast))
    row = Relationship.objects.get()
    assert (row.exchanges, row.trust) == (6, 1)
