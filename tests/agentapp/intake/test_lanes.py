"""The queue: one worker per lane, nothing lost, nothing stuck."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.intake import lanes
from agentapp.intake.lanes import ClaimedLane, StaleFence
from agentapp.intake.models import Lane
from tests.cast import Cast
from tests.fakes.connecting import in_threads


def wanted(cast: Cast, message_id: int = 1) -> None:
    lanes.want([lanes.Wanted(cast.lounge.pk, message_id)])


def claimed(cast: Cast) -> ClaimedLane:
    wanted(cast)
    (lane,) = lanes.claim(limit=1)
    return lane


def test_a_claim_counts_the_attempt_and_raises_the_fence(cast: Cast) -> None:
    lane = claimed(cast)
    assert (lane.attempts, lane.fence) == (1, 1)
    assert Lane.objects.get(pk=lane.id).attempts == 1


def test_a_claimed_lane_is_not_claimed_again_before_its_lease_ends(cast: Cast) -> None:
    wanted(cast)
    assert len(lanes.claim(limit=10)) == 2
    assert lanes.claim(limit=10) == []
    Lane.objects.update(lease_until=clock.now())
    again = lanes.claim(limit=10)
    assert [(lane.attempts, lane.fence) for lane in again] == [(2, 2), (2, 2)]


def test_claiming_is_one_statement(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    wanted(cast)
    with django_assert_num_queries(1):
        taken = lanes.claim(limit=10)
    assert len(taken) == 2


def test_the_longest_waiting_lane_comes_first(cast: Cast) -> None:
    wanted(cast)
    Lane.objects.filter(agent=cast.bo).update(due_at=clock.now() - timedelta(minutes=1))
    (lane,) = lanes.claim(limit=1)
    assert lane.agent_id == cast.bo.pk


def test_a_decided_lane_is_due_again_only_for_something_newer(cast: Cast) -> None:
    lane = claimed(cast)
    lanes.finish(claimed=lane, through=1)
    Lane.objects.exclude(pk=lane.id).delete()
    assert lanes.claim(limit=10) == []
    wanted(cast, 2)
    assert {each.wanted_through for each in lanes.claim(limit=10)} == {2}


def test_what_arrives_while_a_lane_is_worked_on_is_due_at_once(cast: Cast) -> None:
    lane = claimed(cast)
    Lane.objects.exclude(pk=lane.id).delete()
    wanted(cast, 2)
    lanes.finish(claimed=lane, through=1)
    (again,) = [each for each in lanes.claim(limit=10) if each.id == lane.id]
    assert (again.decided_through, again.attempts) == (1, 1)


def test_an_older_message_never_moves_a_lane_back(cast: Cast) -> None:
    wanted(cast, 5)
    wanted(cast, 3)
    assert set(Lane.objects.values_list("wanted_through", flat=True)) == {5}


@pytest.mark.parametrize("lost_by", ["lease", "release"])
def test_a_stale_fence_writes_nothing(cast: Cast, lost_by: str) -> None:
    stale = claimed(cast)
    if lost_by == "lease":
        Lane.objects.update(lease_until=clock.now())
    else:
        lanes.release(claimed=[stale])
    fresh = next(each for each in lanes.claim(limit=10) if each.id == stale.id)
    with pytest.raises(StaleFence):
        lanes.finish(claimed=stale, through=1)
    assert not lanes.fail(claimed=stale, error="late")
    assert not lanes.park(claimed=stale, through=1, error="late")
    assert lanes.lock(claimed=[stale]) == {}
    before = Lane.objects.get(pk=stale.id).lease_until
    lanes.extend(claimed=[stale], lease_seconds=1000)
    lanes.release(claimed=[stale])
    lanes.postpone(claimed=stale, seconds=1000)
    row = Lane.objects.get(pk=stale.id)
    assert (row.fence, row.lease_until, row.decided_through) == (fresh.fence, before, 0)


def test_a_lease_is_prolonged_while_work_goes_on(cast: Cast) -> None:
    lane = claimed(cast)
    lanes.extend(claimed=[lane], lease_seconds=1000)
    left = Lane.objects.get(pk=lane.id).lease_until - clock.now()
    assert left > timedelta(seconds=900)


def test_failures_wait_longer_each_time(cast: Cast) -> None:
    waits = []
    lane = claimed(cast)
    for _ in range(4):
        lanes.fail(claimed=lane, error="boom")
        row = Lane.objects.get(pk=lane.id)
        waits.append((row.due_at - clock.now()).total_seconds())
        assert row.last_error == "boom"
        Lane.objects.filter(pk=lane.id).update(due_at=clock.now() - timedelta(minutes=1))
        (lane,) = lanes.claim(limit=1)
    assert waits == sorted(waits)
    assert waits[0] <= 1 < waits[-1]


def test_five_deaths_in_a_row_are_over_within_two_minutes() -> None:
    sweep = 5  # seconds between two looks at the lanes
    assert lanes.MAX_ATTEMPTS * (lanes.LEASE_SECONDS + sweep) <= 120
    assert sum(lanes.BACK_OFF_SECONDS) + len(lanes.BACK_OFF_SECONDS) * sweep <= 120


def test_a_new_message_does_not_shorten_the_wait_after_a_failure(cast: Cast) -> None:
    lane = claimed(cast)
    lanes.fail(claimed=lane, error="boom")
    due_at = Lane.objects.get(pk=lane.id).due_at
    wanted(cast, 2)
    assert Lane.objects.get(pk=lane.id).due_at == due_at


def test_a_parked_lane_moves_on_and_says_so(cast: Cast) -> None:
    lane = claimed(cast)
    wanted(cast, 2)
    assert lanes.park(claimed=lane, through=1, error="It failed 5 times in a row.")
    row = Lane.objects.get(pk=lane.id)
    assert (row.decided_through, row.attempts, row.lease_until) == (1, 0, None)
    assert row.last_error
    event = Event.objects.get(type="lane.parked")
    assert (event.agent_id, event.room_id) == (lane.agent_id, lane.room_id)
    assert lane.id in {each.id for each in lanes.claim(limit=10)}


def test_waiting_for_somebody_else_is_no_attempt(cast: Cast) -> None:
    lane = claimed(cast)
    lanes.postpone(claimed=lane, seconds=0)
    again = next(each for each in lanes.claim(limit=10) if each.id == lane.id)
    assert again.attempts == 1


def test_many_workers_share_lanes_and_never_one_lane(live_cast: Cast) -> None:
    rooms = 30
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agentapp_room"
            " (workspace_id, platform, external_id, kind, name, visibility,"
            " group_id, dial, reply_mode, agents_allowed, encrypted, is_tryout, limits)"
            " SELECT %s, 'local', 'r' || n, 'room', '', 'public', '', 'asked', 'own', true, false,"
            " false, '{}' FROM generate_series(1, %s) n RETURNING id",
            [live_cast.workspace.pk, rooms],
        )
        cursor.execute(
            "INSERT INTO agentapp_lane (workspace_id, agent_id, room_id, wanted_through,"
            " decided_through, due_at, fence, attempts, last_error)"
            " SELECT %s, %s, id, 1, 0, greenroom_now(), 0, 0, '' FROM agentapp_room",
            [live_cast.workspace.pk, live_cast.ada.pk],
        )
    found = in_threads(8, lambda _: [lane.id for _ in range(10) for lane in lanes.claim(limit=2)])
    ids = [lane_id for share in found for lane_id in share]
    assert len(ids) == len(set(ids)) == rooms + 1
    assert set(Lane.objects.values_list("attempts", flat=True)) == {1}


def test_work_whose_lane_was_taken_over_rolls_back(live_cast: Cast) -> None:
    stale = claimed(live_cast)
    Lane.objects.update(lease_until=clock.now())
    lanes.claim(limit=10)

    @transaction.atomic
    def late_work() -> None:
        live_cast.lounge.name = "Written by the dead"
        live_cast.lounge.save()
        lanes.finish(claimed=stale, through=1)

    with pytest.raises(StaleFence):
        late_work()
    live_cast.lounge.refresh_from_db()
    assert live_cast.lounge.name == "Lounge"
