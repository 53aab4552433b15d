"""Reads of thoughts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from agentapp.foundation.prepared import planned, prepared
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken

PAGE = 50  # turns
OPEN = (Turn.Status.QUEUED, Turn.Status.RUNNING)

# Each place is a few ranges of a partial index over what was spoken, so that the thousands of
# turns that ended in silence are never looked at.
SPOKEN_HERE = """
SELECT asked.n, found.* FROM unnest(%(rooms)s::bigint[]) WITH ORDINALITY AS asked(room_id, n)
CROSS JOIN LATERAL (
    SELECT agent_id,
        count(*) FILTER (WHERE decision = 'respond' AND created_at > now.ten_minutes),
        count(*) FILTER (WHERE decision = 'respond' AND NOT addressed),
        count(*) FILTER (WHERE decision = 'react')
    FROM agentapp_turn, (SELECT greenroom_now() - interval '10 minutes' AS ten_minutes) now
    WHERE room_id = asked.room_id AND decision IN ('respond', 'react')
        AND created_at > (SELECT greenroom_now() - interval '1 hour')
    GROUP BY agent_id
) AS found
"""
SPOKEN_SINCE = """
SELECT asked.n, found.*
FROM unnest(%(rooms)s::bigint[], %(since)s::bigint[], %(human)s::bigint[]) WITH ORDINALITY
    AS asked(room_id, since, human, n)
CROSS JOIN LATERAL (
    SELECT agent_id,
        count(*) FILTER (WHERE decision = 'respond' AND NOT addressed),
        count(*) FILTER (WHERE trigger_id >= asked.human),
        count(*) FILTER (WHERE trigger_id >= asked.human AND decision = 'respond')
    FROM agentapp_turn
    WHERE room_id = asked.room_id AND decision IN ('respond', 'react')
        AND trigger_id >= asked.since
    GROUP BY agent_id
) AS found
"""
SPOKEN_TO = """
SELECT asked.n, found.*
FROM unnest(%(places)s::bigint[], %(agents)s::bigint[], %(people)s::bigint[],
    %(tryouts)s::boolean[])
    AS asked(n, agent_id, person_id, is_tryout)
CROSS JOIN LATERAL (
    SELECT turn.agent_id, turn.person_id,
        count(*) FILTER (WHERE created_at > (SELECT greenroom_now() - interval '10 minutes')),
        count(*)
    FROM agentapp_turn turn
    WHERE turn.agent_id = asked.agent_id AND turn.person_id = asked.person_id
        AND decision = 'respond' AND created_at > (SELECT greenroom_now() - interval '1 day')
        AND (SELECT is_tryout FROM agentapp_room room WHERE room.id = turn.room_id)
            = asked.is_tryout
    GROUP BY turn.agent_id, turn.person_id
) AS found
"""


@dataclass(frozen=True, slots=True)
class Talk:
    """Where agents decide, and what is counted there.

    Attributes:
        agent_ids: The agents that decide.
        person_ids: The people they may answer.
        window_id: The oldest of the last messages of the room.
        human_id: The last message of a human.
        is_tryout: Try-outs and rooms count apart.
    """

    room_id: int
    agent_ids: Collection[int]
    person_ids: Collection[int]
    window_id: int
    human_id: int
    is_tryout: bool


def spoken(talks: Sequence[Talk]) -> list[Spoken]:
    """Count what agents said in each place; three queries, whatever the rooms hold."""
    rooms = [talk.room_id for talk in talks]
    pairs = [
        (n, agent_id, person_id, talk.is_tryout)
        for n, talk in enumerate(talks, start=1)
        for agent_id in talk.agent_ids
        for person_id in talk.person_ids
    ]
    here = _by_place(SPOKEN_HERE, {"rooms": rooms})
    after = _by_place(
        SPOKEN_SINCE,
        {
            "rooms": rooms,
            "since": [min(talk.window_id, talk.human_id) for talk in talks],
            "human": [talk.human_id for talk in talks],
        },
    )
    to_person = _by_place(
        SPOKEN_TO,
        {
            "places": [pair[0] for pair in pairs],
            "agents": [pair[1] for pair in pairs],
            "people": [pair[2] for pair in pairs],
            "tryouts": [pair[3] for pair in pairs],
        },
    )
    return [_spoken(here[n], after[n], to_person[n]) for n in range(1, len(talks) + 1)]


Row = tuple[int, ...]


def _by_place(statement: str, values: dict[str, list[Any]]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    with planned() as cursor:
        cursor.execute(statement, values)
        for place, *row in cursor.fetchall():
            found[place].append(tuple(row))
    return found


def _spoken(here: list[Row], after: list[Row], to_person: list[Row]) -> Spoken:
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
    return open_in(room_id=room_id, agent_ids=list(agent_ids))


@prepared
def open_in(room_id: int, agent_ids: list[int]) -> QuerySet[Turn]:
    """List what these agents began in a room and have not ended; one query."""
    rows = Turn.objects.filter(room_id=room_id, agent_id__any=agent_ids, status__in=OPEN)
    return rows.order_by("id")


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
