"""Lets the scripted members speak, one line at a time."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from agentapp.conversation.models import Message
from agentapp.demo import queries, rules, script, services
from agentapp.demo.models import DemoRun
from agentapp.demo.rules import Move, Standing
from agentapp.foundation import clock
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, Place
from agentapp.identity.models import Account, Room
from agentapp.identity.services.people import LOCAL
from agentapp.intake import services as intake

logger = logging.getLogger(__name__)

RUNS_PER_TICK = 20


def tick() -> int:
    """Move every watched demo that is due by one line, and end those that are over.

    Running it twice at once is harmless: a demo is moved by whoever locks its row, and its next
    line is not due before a pause.

    Returns:
        How many lines were said.
    """
    return sum(_move(run_id) for run_id in queries.list_due(limit=RUNS_PER_TICK))


@transaction.atomic
def _move(run_id: int) -> bool:
    run = (
        DemoRun.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("room")
        .filter(pk=run_id, stopped_at__isnull=True, next_line_at__lte=GreenroomNow())
        .first()
    )
    if run is None or run.room is None:
        return False
    now = clock.now()
    messages = Message.objects.filter(room=run.room, is_known=True).count()
    decision = rules.decide(
        Standing(messages, run.watched_at, run.next_line_at, run.ends_at), now=now
    )
    if decision.move is Move.STOP:
        services.stop(run_id=run.pk, reason=decision.reason)
    if decision.move is not Move.SPEAK:
        return False
    _say(_line(run.line), run=run, room=run.room)
    _advance(run, messages=messages + 1, now=now)
    return True


def _line(n: int) -> script.Line:
    index = rules.line_index(n, count=len(script.LINES), loop_from=script.LOOP_FROM)
    return script.LINES[index]


def _say(line: script.Line, *, run: DemoRun, room: Room) -> None:
    """Bring the line in by the door that every platform uses; a repetition is recognised."""
    intake.accept(
        Incoming(
            workspace_id=run.workspace_id,
            platform=LOCAL,
            place=Place(
                external_id=room.external_id,
                name=room.name,
                kind=room.kind,
                is_public=room.visibility == Room.Visibility.PUBLIC,
            ),
            external_id=f"demo:{run.pk}:{run.line}",
            author=Author(
                external_id=services.member_handle(line.who),
                name=script.MEMBERS[line.who],
                kind=AuthorKind.SCRIPTED,
            ),
            text=line.text,
            mentions=_mentioned(line, run),
        )
    )


def _mentioned(line: script.Line, run: DemoRun) -> tuple[str, ...]:
    """Return the handle of the agent that the line addresses, if it is still around."""
    resident = next((each for each in script.AGENTS if each.code == line.to), None)
    if resident is None:
        return ()
    found = Account.objects.filter(
        workspace_id=run.workspace_id,
        platform=LOCAL,
        agent__version__blueprint__template=resident.template.code,
    )
    return tuple(found.order_by("created_at").values_list("external_id", flat=True)[:1])


def _advance(run: DemoRun, *, messages: int, now: datetime) -> None:
    said, coming = _line(run.line), _line(run.line + 1)
    pause = rules.pause_before(text=coming.text, n=run.line + 1, after_question=bool(said.to))
    DemoRun.objects.filter(pk=run.pk, line=run.line).update(
        line=run.line + 1, messages=messages, next_line_at=now + pause
    )
