"""Thoughts under their fence."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from agentapp.events.models import Event
from agentapp.turns import queries, services
from agentapp.turns.models import Turn
from agentapp.turns.rules import Reason, Weight
from agentapp.turns.services import Decided, TurnTaken
from tests.cast import Cast


def decided(cast: Cast, trigger_id: int = 1, **changes: object) -> Decided:
    values: dict[str, object] = {
        "workspace_id": cast.workspace.pk,
        "agent_id": cast.ada.pk,
        "room_id": cast.lounge.pk,
        "trigger_id": trigger_id,
        "decision": "respond",
        "reasons": (Reason(Weight.YES, "addressed", "Sam asked."),),
        "fence": 1,
    }
    return Decided(**values | changes)


def test_a_thought_begins_once_per_message(cast: Cast) -> None:
    (first,) = services.start([decided(cast)])
    again, other = services.start([decided(cast), decided(cast, 2)])
    assert first.pk == again.pk != other.pk
    assert Event.objects.filter(type="turn.started").count() == 2


def test_silence_is_written_in_one_statement_and_repeated_without_harm(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    silent = [decided(cast, n, decision="ignore", outcome="not_asked") for n in range(20)]
    with django_assert_num_queries(1):
        services.record_silent(decided=silent)
    services.record_silent(decided=silent)
    assert Turn.objects.count() == 20
    assert not Event.objects.filter(type__startswith="turn.").exists()
    assert Turn.objects.latest("id").finished_at is not None


def test_who_lost_the_fence_ends_nothing(cast: Cast) -> None:
    (stale,) = services.start([decided(cast)])
    fresh = services.resume(turn=Turn.objects.get(pk=stale.pk), fence=2)
    for end in (
        lambda: services.finish([services.Finished(stale, "draft:pending")]),
        lambda: services.fail(turn=stale, outcome="stopped", error="late"),
        lambda: services.note_contexts([services.Context(stale, {}, [])]),
    ):
        with pytest.raises(TurnTaken):
            end()
    services.finish([services.Finished(fresh, "draft:pending", answer="Hello.")])
    with pytest.raises(TurnTaken):
        services.fail(turn=fresh, outcome="stopped", error="too late")
    assert Turn.objects.get().status == "done"
    assert Event.objects.filter(type="turn.finished").count() == 1


def test_only_open_thoughts_are_taken_up(cast: Cast) -> None:
    (turn,) = services.start([decided(cast)])
    found = queries.list_open(room_id=cast.lounge.pk, agent_ids=[cast.ada.pk, cast.bo.pk])
    assert found == [turn]
    services.bury(turn=turn, error="It failed 5 times.")
    assert queries.list_open(room_id=cast.lounge.pk, agent_ids=[cast.ada.pk]) == []
    assert Turn.objects.get().status == "dead"


def test_pages_of_thoughts_follow_each_other(cast: Cast) -> None:
    services.record_silent(decided=[decided(cast, n, decision="ignore") for n in range(5)])
    newest = queries.recent(agent_id=cast.ada.pk, limit=3)
    older = queries.recent(agent_id=cast.ada.pk, before_id=newest[-1].pk, limit=3)
    assert [turn.trigger_id for turn in [*newest, *older]] == [4, 3, 2, 1, 0]
