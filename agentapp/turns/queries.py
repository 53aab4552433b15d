"""Reads of thoughts."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import QuerySet

from agentapp.foundation.prepared import prepared
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken

PAGE = 50  # turns
OPEN = (Turn.Status.QUEUED, Turn.Status.RUNNING)

# Both halves are ranges of a partial index over what was spoken, so that the thousands of
# turns that ended in silence are never looked at.
SPOKEN_HERE = """
SELECT agent_id,
    count(*) FILTER (WHERE decision = 'respond' AND created_at > now.ten_minutes),
    count(*) FILTER (WHERE decision = 'respond' AND NOT addressed),
    count(*) FILTER (WHERE decision = 'react')
FROM agentapp_turn, (SELECT greenroom_now() - interval '10 minutes' AS ten_minutes) now
WHERE room_id = %(room)s AND decision IN ('respond', 'react')
    AND created_at > (SELECT greenroom_now() - interval '1 hour')
GROUP BY agent_id
"""
SPOKEN_SINCE = """
SELECT agent_id,
    count(*) FILTER (WHERE decision = 'respond' AND NOT addressed),
    count(*) FILTER (WHERE trigger_id >= %(human)s),
    count(*) FILTER (WHERE trigger_id >= %(human)s AND decision = 'respond')
FROM agentapp_turn
WHERE room_id = %(room)s AND decision IN ('respond', 'react') AND trigger_id >= %(since)s
GROUP BY agent_id
"""
SPOKEN_TO = """
SELECT agent_id, person_id,
    count(*) FILTER (WHERE created_at > (SELECT greenroom_now() - interval '10 minutes')),
    count(*)
FROM agentapp_turn turn
WHERE turn.agent_id = ANY(%(agents)s) AND turn.person_id = ANY(%(people)s)
    AND decision = 'respond' AND created_at > (SELECT greenroom_now() - interval '1 day')
    AND (SELECT is_tryout FROM agentapp_room room WHERE room.id = turn.room_id) = %(tryout)s
GROUP BY agent_id, person_id
"""


def spoken(
    *,
    room_id: int,
    agent_ids: Collection[int],
    person_ids: Collection[int],
    window_id: int,
    human_id: int,
    is_tryout: bool,
) -> Spoken:
    """Count what agents said; three queries, whatever the room holds.

    Args:
        room_id: The room.
        agent_ids: The agents that decide.
        person_ids: The people they may answer.
        window_id: The oldest of the last messages of the room.
        human_id: The last message of a human.
        is_tryout: Try-outs and rooms count apart.
    """
    since = {"room": room_id, "human": human_id, "since": min(window_id, human_id)}
    with connection.cursor() as cursor:
        cursor.execute(SPOKEN_HERE, {"room": room_id})
        here = cursor.fetchall()
        cursor.execute(SPOKEN_SINCE, since)
        after = cursor.fetchall()
        cursor.execute(
            SPOKEN_TO,
            {"agents": list(agent_ids), "people": list(person_ids), "tryout": is_tryout},
        )
        to_person = cursor.fetchall()
    return Spoken(
        room_10min=sum(row[1] for row in here),
        unaddressed_hour={row[0]: row[2] for row in here},
        unaddressed_window={row[0]: row[1] for row in after},
        reactions_hour={row[0]: row[3] for row in here},
        without_human=sum(row[2] for row in after),
        answers_without_human=sum(row[3] for row in after),
        to_person={(row[0], row[1]): (row[2], row[3]) for row in to_person},
    )


def list_open(*, room_id: int, agent_ids: Collection[int]) -> list[Turn]:
    """List the turns of these agents that were begun in a room and not ended; one query."""
    return _open(room_id=room_id, agent_ids=list(agent_ids))


@prepared
def _open(room_id: int, agent_ids: list[int]) -> QuerySet[Turn]:
    return Turn.objects.filter(room_id=room_id, agent_id__any=agent_ids, status__in=OPEN).order_by(
        "id"
    )


@prepared
def on_message(agent_id: int, message_id: int) -> QuerySet[Turn]:
    """List the one turn of an agent that a message began, if there is one; one query."""
    return Turn.objects.filter(
        agent_id=agent_id, trigger_kind=Turn.Trigger.MESSAGE, trigger_id=message_id
    )


def recent(*, agent_id: int, before_id: int | None = None, limit: int = PAGE) -> list[Turn]:
    """List a page of an agent's turns, the newest first; one query."""
    turns: QuerySet[Turn] = Turn.objects.filter(agent_id=agent_id)
    if before_id is not None:
        turns = turns.filter(id__lt=before_id)
    return list(turns.select_related("room", "person").order_by("-id")[:limit])


def running(*, agent_ids: Collection[int]) -> list[Turn]:
    """List what these agents are writing now, the oldest first; one query."""
    return list(
        Turn.objects.filter(agent_id__in=agent_ids, status=Turn.Status.RUNNING)
        .select_related("agent", "room", "person")
        .order_by("id")
    )
