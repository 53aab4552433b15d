"""The work queue: claims with a lease and a fence, and every write that ends a claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict
from agentapp.foundation.prepared import Change, planned, prepared, prepared_update
from agentapp.intake.models import Lane

MAX_ATTEMPTS = 5
# Five deaths in a row, each noticed only when its lease ends, still free the room in two minutes.
LEASE_SECONDS = 15
EXTEND_EVERY_SECONDS = 4
BACK_OFF_SECONDS = (1, 3, 8, 15)  # before the second, third, fourth and fifth attempt
MAX_ERROR = 400  # characters

# A lane that waits after a failure keeps waiting; an idle one is due now, or once files that came
# with the message have had their time to arrive. Rows are locked in the
# order of their agents, so that two rooms' messages cannot wait for each other.
WANT = """
INSERT INTO agentapp_lane
    (workspace_id, agent_id, room_id, wanted_through, decided_through, due_at, fence, attempts,
     last_error)
SELECT member.workspace_id, member.agent_id, member.room_id, max(said.message_id),
    member.joined_after, greenroom_now() + make_interval(secs => max(said.patience)), 0, 0, ''
FROM unnest(%(rooms)s::bigint[], %(messages)s::bigint[], %(authors)s::bigint[],
    %(patience)s::float8[]) AS said(room_id, message_id, author_agent, patience)
JOIN agentapp_membership member ON member.room_id = said.room_id
WHERE member.left_at IS NULL AND member.state <> 'invited'
    AND member.agent_id IS DISTINCT FROM said.author_agent
GROUP BY member.id
ORDER BY member.agent_id, member.room_id
ON CONFLICT (agent_id, room_id) DO UPDATE SET
    due_at = CASE WHEN agentapp_lane.wanted_through > agentapp_lane.decided_through
        THEN agentapp_lane.due_at ELSE excluded.due_at END,
    wanted_through = greatest(agentapp_lane.wanted_through, excluded.wanted_through)
"""

# What waits after a failure goes on waiting.
HASTEN = """
UPDATE agentapp_lane SET due_at = greenroom_now()
WHERE room_id = %s AND wanted_through > decided_through AND due_at > greenroom_now()
    AND attempts = 0 AND lease_until IS NULL
"""

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM agentapp_lane
    WHERE wanted_through > decided_through AND due_at <= (SELECT greenroom_now())
        AND (lease_until IS NULL OR lease_until <= (SELECT greenroom_now()))
    ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agentapp_lane lane
SET attempts = lane.attempts + 1, fence = lane.fence + 1,
    lease_until = greenroom_now() + make_interval(secs => %(lease)s)
FROM due WHERE lane.id = due.id
RETURNING lane.id, lane.workspace_id, lane.agent_id, lane.room_id, lane.decided_through,
    lane.wanted_through, lane.fence, lane.attempts
"""

EXTEND = """
UPDATE agentapp_lane lane SET lease_until = greenroom_now() + make_interval(secs => %(lease)s)
FROM unnest(%(ids)s::bigint[], %(fences)s::bigint[]) AS held(id, fence)
WHERE lane.id = held.id AND lane.fence = held.fence AND lane.lease_until IS NOT NULL
"""


_AT_REST: dict[str, object] = {
    "lease_until": None,
    "attempts": 0,
    "last_error": "",
    "due_at": GreenroomNow(),
}


class StaleFence(Conflict):
    """Another worker has taken over this lane."""


@dataclass(frozen=True, slots=True)
class ClaimedLane:
    """One agent's work in one room, held under a fence.

    Attributes:
        decided_through: Message id up to which everything is decided.
        wanted_through: The newest message id when it was claimed.
        attempts: This one included.
    """

    id: int
    workspace_id: int
    agent_id: int
    room_id: int
    decided_through: int
    wanted_through: int
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new message that a room's agents should decide on, its author excepted.

    Attributes:
        patience: Seconds until they do: its files may arrive meanwhile.
    """

    room_id: int
    message_id: int
    author_agent_id: int | None = None
    patience: float = 0.0


def want(wanted: Sequence[Wanted]) -> bool:
    """Queue messages for every agent that is in their rooms.

    One statement, in the transaction that writes the messages. Returns whether any lane is due.
    """
    if not wanted:
        return False
    with planned() as cursor:
        cursor.execute(
            WANT,
            {
                "rooms": [each.room_id for each in wanted],
                "messages": [each.message_id for each in wanted],
                "authors": [each.author_agent_id for each in wanted],
                "patience": [each.patience for each in wanted],
            },
        )
        return bool(cursor.rowcount)


def hasten(*, room_id: int) -> bool:
    """Let a room's agents decide now instead of waiting for files; say whether any waited."""
    with planned() as cursor:
        cursor.execute(HASTEN, [room_id])
        return bool(cursor.rowcount)


def claim(*, limit: int, lease_seconds: float = LEASE_SECONDS) -> list[ClaimedLane]:
    """Take up to `limit` due lanes, the longest waiting first; one statement.

    The attempt is counted here, before the work, so that work which kills its worker counts too.
    """
    if limit < 1:
        return []
    with planned() as cursor:
        cursor.execute(CLAIM, {"limit": limit, "lease": lease_seconds})
        return [ClaimedLane(*row) for row in cursor.fetchall()]


def extend(*, claimed: Iterable[ClaimedLane], lease_seconds: float = LEASE_SECONDS) -> None:
    """Prolong the leases of work that goes on; one statement. What was taken over stays taken."""
    held = sorted((lane.id, lane.fence) for lane in claimed)
    if not held:
        return
    with planned() as cursor:
        cursor.execute(
            EXTEND,
            {
                "ids": [lane_id for lane_id, _ in held],
                "fences": [fence for _, fence in held],
                "lease": lease_seconds,
            },
        )


def lock(*, claimed: Sequence[ClaimedLane]) -> dict[int, int]:
    """Lock the lanes that are still held under their fence, inside the caller's transaction.

    Returns:
        What is wanted of each by now, by lane id; a lane that was taken over is missing.
    """
    fences = {lane.id: lane.fence for lane in claimed}
    rows = _locked(lane_ids=list(fences))
    return {lane_id: wanted for lane_id, fence, wanted in rows if fences[lane_id] == fence}


@prepared
def _locked(lane_ids: list[int]) -> QuerySet[Lane, tuple[int, int, int]]:
    return (
        Lane.objects.select_for_update(no_key=True)
        .filter(pk__any=lane_ids)
        .order_by("agent_id", "room_id")
        .values_list("id", "fence", "wanted_through")
    )


def finish(*, claimed: ClaimedLane, through: int) -> None:
    """End a claim: everything up to `through` is decided. Call it in the work's transaction.

    Raises:
        StaleFence: The lane was taken over; let the transaction fail with it.
    """
    finish_each([(claimed, through)])


def finish_each(claims: Iterable[tuple[ClaimedLane, int]]) -> None:
    """End several claims as `finish` does, all or none; one statement."""
    ended = sorted(claims, key=lambda each: (each[0].agent_id, each[0].room_id))
    calls = [
        {"lane_id": lane.id, "fence": lane.fence, "through": through} for lane, through in ended
    ]
    if not all(_finish.many(calls)):
        raise StaleFence


@prepared_update
def _finish(lane_id: int, fence: int, through: int) -> Change:
    return Lane.objects.filter(pk=lane_id, fence=fence), {"decided_through": through, **_AT_REST}


def finish_all(ended: Iterable[tuple[int, int]]) -> None:
    """End claims whose lanes the caller has locked, from (lane id, through); one statement."""
    _finish_locked.many([{"lane_id": pk, "through": through} for pk, through in ended])


@prepared_update
def _finish_locked(lane_id: int, through: int) -> Change:
    furthest = Greatest(F("decided_through"), through)
    return Lane.objects.filter(pk=lane_id), {"decided_through": furthest, **_AT_REST}


def fail(*, claimed: ClaimedLane, error: str) -> bool:
    """Give a lane back for another attempt after a pause. Returns False when it was taken over."""
    wait = BACK_OFF_SECONDS[min(claimed.attempts, len(BACK_OFF_SECONDS)) - 1]
    failed = Lane.objects.filter(pk=claimed.id, fence=claimed.fence).update(
        lease_until=None,
        last_error=error[:MAX_ERROR],
        due_at=GreenroomNow() + timedelta(seconds=wait),
    )
    return failed == 1


def postpone(*, claimed: ClaimedLane, seconds: float) -> None:
    """Give a lane back because it has to wait for somebody else; no attempt is counted."""
    Lane.objects.filter(pk=claimed.id, fence=claimed.fence).update(
        lease_until=None,
        attempts=F("attempts") - 1,
        due_at=GreenroomNow() + timedelta(seconds=seconds),
    )


@transaction.atomic
def park(*, claimed: ClaimedLane, through: int, error: str) -> bool:
    """Move a lane past work that keeps failing, and say so. Returns False when it was taken over.

    Writes: Lane, Event `lane.parked`. What came after `through` is decided next.
    """
    parked = Lane.objects.filter(pk=claimed.id, fence=claimed.fence).update(
        **_AT_REST | {"decided_through": through, "last_error": error[:MAX_ERROR]}
    )
    if parked != 1:
        return False
    events.record(
        type="lane.parked",
        subject_kind="lane",
        subject_id=claimed.id,
        workspace_id=claimed.workspace_id,
        agent_id=claimed.agent_id,
        room_id=claimed.room_id,
        payload={"through": through, "attempts": claimed.attempts, "error": error[:MAX_ERROR]},
    )
    return True


def release(*, claimed: Iterable[ClaimedLane]) -> None:
    """Give lanes back at once, as a stopping worker does; it does not count as an attempt."""
    for lane in claimed:
        Lane.objects.filter(pk=lane.id, fence=lane.fence).update(
            lease_until=None, attempts=F("attempts") - 1
        )
