"""Reads of talks: what an agent and one person said to each other, and nobody else's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from agentapp.conversation.models import Message
from agentapp.identity.models import Identity, Participant
from agentapp.memory.models import Talk
from agentapp.memory.queries.sources import memorable_messages
from agentapp.memory.rules.talks import Line
from agentapp.turns.models import Turn

MAX_TURNS = 40  # of one talk, the newest
MAX_LINES = 60  # of one talk, the newest
MAX_LINE = 1_000  # characters
MAX_NAMES = 500  # of others in the room


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be gone over, the oldest line first.

    `turn_id` is the last thought in it; `strangers` is what others in the room are called.
    """

    agent: str
    person: str
    lines: tuple[Line, ...]
    turn_id: int | None
    strangers: tuple[str, ...]


def read_talk(talk: Talk) -> Said:
    """Read what is new of a talk; five queries.

    Only what the agent itself read counts, so nothing from a time when it was not there. Only the
    person's messages and the agent's answers to them are read: whoever else spoke stays unread.
    """
    turns = list(
        Turn.objects.filter(
            agent_id=talk.agent_id,
            room_id=talk.room_id,
            person_id=talk.person_id,
            addressed=True,
            trigger_id__gt=talk.closed_through,
            trigger_id__lte=talk.heard_through,
        ).order_by("-id")[:MAX_TURNS]
    )
    own = Message.objects.filter(
        memorable_messages(),
        id__in=_read_in(turns),
        id__gt=talk.closed_through,
        room_id=talk.room_id,
        author__person_id=talk.person_id,
    )
    told = list(own.order_by("-id").values_list("id", "text")[:MAX_LINES])
    answers = Message.objects.filter(
        Q(reply_to_id__in=[pk for pk, _ in told]) | Q(room__kind="direct"),
        room_id=talk.room_id,
        author__agent_id=talk.agent_id,
        id__gt=min((pk for pk, _ in told), default=talk.heard_through),
        is_known=True,
        deleted_at__isnull=True,
    )
    answered = list(answers.order_by("-id").values_list("id", "text")[:MAX_LINES])
    lines = [Line(pk, is_persons=True, text=text[:MAX_LINE]) for pk, text in told]
    lines += [Line(pk, is_persons=False, text=text[:MAX_LINE]) for pk, text in answered]
    newest = sorted(lines, key=lambda line: line.message_id)[-MAX_LINES:]
    return Said(
        agent=talk.agent.name,
        person=talk.person.name,
        lines=tuple(newest),
        turn_id=turns[0].pk if turns else None,
        strangers=_others(talk),
    )


def lines_still_hold(lines: Sequence[Line]) -> bool:
    """Lock what a talk was read from and say whether it still says the same, in a transaction."""
    rows = Message.objects.select_for_update(no_key=True, of=("self",)).filter(
        id__in=[line.message_id for line in lines], is_known=True, deleted_at__isnull=True
    )
    now = {row.pk: row.text[:MAX_LINE] for row in rows.order_by("id")}
    return all(now.get(line.message_id) == line.text for line in lines)


def _read_in(turns: Sequence[Turn]) -> set[int]:
    """Return the ids of messages that these thoughts read or answered."""
    ids = {turn.trigger_id for turn in turns if turn.trigger_id is not None}
    for turn in turns:
        read = turn.context.get("messages")
        ids.update(pk for pk in read if isinstance(pk, int)) if isinstance(read, list) else None
    return ids


def _others(talk: Talk) -> tuple[str, ...]:
    """Return the names of everybody in the room but the agent and the person."""
    here = Participant.objects.filter(room_id=talk.room_id).values("identity")
    spoke = (
        Message.objects.filter(room_id=talk.room_id, id__lte=talk.heard_through)
        .order_by("-id")
        .values_list("author_id", flat=True)[:MAX_NAMES]
    )
    names = (
        Identity.objects.filter(Q(id__in=here) | Q(id__in=set(spoke)))
        .exclude(person_id=talk.person_id)
        .exclude(agent_id=talk.agent_id)
        .values_list("name", flat=True)[:MAX_NAMES]
    )
    return tuple(names)
