"""Writes of talks: which are open, who goes over one, and what it leaves behind."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from agentapp.events import services as events
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict
from agentapp.identity.models import Person
from agentapp.llm.models import LLMCall
from agentapp.memory import rules
from agentapp.memory.models import Fact, Memory, Talk
from agentapp.memory.queries.talks import Said, lines_still_hold
from agentapp.memory.rules.talks import SINGLE_VALUED, Gist, Noted, last_word
from agentapp.memory.services.remembering import text_hash

LOOKBACK = timedelta(days=2)
SILENCE = timedelta(minutes=30)  # in the room
UNADDRESSED = timedelta(hours=3)  # ends a talk in a room that never falls silent
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 14  # over two days, by the waits below
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)
LAST_WORD_LIFETIME = timedelta(days=3)
SUMMARY_LIFETIME = timedelta(days=60)
SUMMARY_IMPORTANCE = 0.5
LAST_WORD_IMPORTANCE = 0.3
FACT_IMPORTANCE = 0.7
MAX_ERROR = 400  # characters

# Try-outs and demos leave nothing behind, and people who wish so are not remembered.
OPEN = """
INSERT INTO agentapp_talk (workspace_id, agent_id, room_id, person_id, heard_through, heard_at,
    closed_through, forgotten_through, fence, attempts, outcome, error)
SELECT turn.workspace_id, turn.agent_id, turn.room_id, turn.person_id,
    max(turn.trigger_id), max(turn.created_at), 0, 0, 0, 0, '', ''
FROM agentapp_turn turn
JOIN agentapp_room room ON room.id = turn.room_id AND NOT room.is_tryout
JOIN agentapp_person person ON person.id = turn.person_id AND NOT person.never_remember
    AND person.stopped_at IS NULL
JOIN agentapp_workspace workspace ON workspace.id = turn.workspace_id AND NOT workspace.is_demo
WHERE turn.addressed AND turn.person_id IS NOT NULL AND turn.trigger_kind = 'message'
    AND turn.decision = 'respond'
    AND turn.created_at > greenroom_now() - make_interval(secs => %(lookback)s)
GROUP BY turn.workspace_id, turn.agent_id, turn.room_id, turn.person_id
ON CONFLICT (agent_id, room_id, person_id) DO UPDATE
SET heard_through = excluded.heard_through, heard_at = excluded.heard_at,
    attempts = 0, next_try_at = NULL
WHERE agentapp_talk.heard_through < excluded.heard_through
"""

CLAIM = """
UPDATE agentapp_talk SET fence = fence + 1, attempts = attempts + 1,
    lease_until = greenroom_now() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT talk.id FROM agentapp_talk talk
    WHERE talk.heard_through > talk.closed_through
        AND (talk.lease_until IS NULL OR talk.lease_until < greenroom_now())
        AND (talk.next_try_at IS NULL OR talk.next_try_at <= greenroom_now())
        AND (talk.heard_at < greenroom_now() - make_interval(secs => %(unaddressed)s)
            OR (talk.heard_at < greenroom_now() - make_interval(secs => %(silence)s) AND (
                SELECT message.created_at FROM agentapp_message message
                WHERE message.room_id = talk.room_id ORDER BY message.id DESC LIMIT 1)
                < greenroom_now() - make_interval(secs => %(silence)s)))
    ORDER BY talk.heard_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class TalkTaken(Conflict):
    """Somebody else goes over this talk now, or it has gone on meanwhile."""


def open_talks() -> int:
    """Note which talks there is something new of; one statement. Repeating it changes nothing.

    Reads: Turn of the last two days. Writes: Talk. Returns how many have something new.
    """
    with connection.cursor() as cursor:
        cursor.execute(OPEN, {"lookback": LOOKBACK.total_seconds()})
        return int(cursor.rowcount)


def claim_talk() -> Talk | None:
    """Take the talk that has been over for longest, for five minutes; None when none is due."""
    spans = {"lease": LEASE, "silence": SILENCE, "unaddressed": UNADDRESSED}
    asked = {name: span.total_seconds() for name, span in spans.items()}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    return Talk.objects.select_related("agent", "person", "room__parent").get(pk=row[0])


def postpone_talk(*, talk: Talk, error: str) -> None:
    """Give a talk back for a later attempt, each after a longer wait, or give up for good.

    Writes: Talk, Event `talk.given_up` after the last attempt. What the person said in so many
    words is remembered either way; only notes on the talk are missing.
    """
    if talk.attempts >= MAX_ATTEMPTS:
        with transaction.atomic():
            if _end(talk, outcome="given_up", error=error):
                _record("talk.given_up", talk, {"attempts": talk.attempts})
        return
    wait = min(FIRST_WAIT * 2 ** (talk.attempts - 1), LONGEST_WAIT)
    _held(talk).update(lease_until=None, next_try_at=GreenroomNow() + wait, error=error[:MAX_ERROR])


@transaction.atomic
def close_talk(
    *, talk: Talk, said: Said, gist: Gist, outcome: str, call_id: int | None = None
) -> int:
    """Keep what a talk leaves behind and go on from here.

    Writes: Memory (summary, facts, the last word), Fact, Talk, LLMCall (the model's own text goes),
    Event `talk.closed`.

    Returns:
        How many memories were made.

    Raises:
        TalkTaken: Another worker holds it, or what it was read from has changed. Nothing is
            written.
    """
    if not _end(talk, outcome=outcome):
        raise TalkTaken
    if call_id is not None:
        LLMCall.objects.filter(pk=call_id).update(answer="")
    made = 0
    if _may_be_remembered(talk):
        if not lines_still_hold(said.lines):
            raise TalkTaken
        made = sum([_keep_summary(talk, said, gist), _keep_last_word(talk, said)])
        made += sum(_keep_fact(talk, said, noted) for noted in gist.facts)
    _record("talk.closed", talk, {"outcome": outcome, "memories": made})
    faults.passing("talk.written")
    return made


def _end(talk: Talk, *, outcome: str, error: str = "") -> bool:
    changed = _held(talk).update(
        closed_through=talk.heard_through,
        closed_at=GreenroomNow(),
        lease_until=None,
        next_try_at=None,
        attempts=0,
        outcome=outcome,
        error=error[:MAX_ERROR],
    )
    return changed == 1


def _held(talk: Talk) -> QuerySet[Talk]:
    return Talk.objects.filter(pk=talk.pk, fence=talk.fence, closed_through=talk.closed_through)


def _may_be_remembered(talk: Talk) -> bool:
    """Lock the person: a "never remember me" now comes before or after."""
    people = Person.objects.select_for_update(no_key=True)
    return people.filter(pk=talk.person_id, never_remember=False, stopped_at=None).exists()


def _keep_summary(talk: Talk, said: Said, gist: Gist) -> int:
    if not gist.summary:
        return 0
    memory = _memory(talk, said, gist.summary, lifetime=SUMMARY_LIFETIME)
    memory.tier, memory.kind = Memory.Tier.MID, Memory.Kind.SUMMARY
    memory.importance = SUMMARY_IMPORTANCE
    memory.source_messages = [line.message_id for line in said.lines]
    memory.save(force_insert=True)
    return 1


def _keep_last_word(talk: Talk, said: Said) -> int:
    """Keep what was said last for a few days, so that a talk can be taken up where it was left."""
    line = last_word(said.lines)
    if line is None or _kept_of(talk, line.message_id):
        return 0
    memory = _memory(talk, said, line.text, lifetime=LAST_WORD_LIFETIME)
    memory.tier, memory.importance = Memory.Tier.SHORT, LAST_WORD_IMPORTANCE
    memory.source_message_id = line.message_id
    memory.save(force_insert=True)
    return 1


def _keep_fact(talk: Talk, said: Said, noted: Noted) -> int:
    """Take apart what is remembered of these words already, or remember them."""
    kept = Memory.objects.select_for_update(no_key=True).filter(
        agent_id=talk.agent_id,
        source_message_id=noted.message_id,
        text_hash=text_hash(noted.quote),
    )
    memory = kept.first()
    is_new = memory is None
    if memory is None:
        memory = _memory(talk, said, noted.quote, lifetime=None)
        memory.tier, memory.kind = Memory.Tier.LONG, Memory.Kind.FACT
        memory.importance = FACT_IMPORTANCE * noted.confidence
        memory.source_message_id = noted.message_id
        memory.save(force_insert=True)
    elif memory.withdrawn_at or memory.deleted_at or Fact.objects.filter(memory=memory).exists():
        return 0
    _supersede(memory, noted)
    Fact.objects.create(
        workspace_id=talk.workspace_id,
        memory=memory,
        author_id=talk.person_id,
        subject=noted.subject,
        predicate=noted.predicate,
        object=noted.object,
        confidence=noted.confidence,
        valid_from=GreenroomNow(),
    )
    return int(is_new)


def _supersede(memory: Memory, noted: Noted) -> None:
    """End what the same person said earlier of the same thing to the same ears."""
    if noted.predicate not in SINGLE_VALUED:
        return
    older = Fact.objects.filter(
        Q(memory__room_id=memory.room_id) | ~Q(memory__audience=Memory.Audience.ROOM),
        author_id=memory.person_id,
        memory__agent_id=memory.agent_id,
        memory__audience=memory.audience,
        predicate=noted.predicate,
        subject__iexact=noted.subject,
        status=Fact.Status.CURRENT,
    ).exclude(memory=memory)
    ended = list(older.values_list("pk", "memory_id"))
    Fact.objects.filter(pk__in=[pk for pk, _ in ended]).update(
        status=Fact.Status.SUPERSEDED, valid_to=GreenroomNow()
    )
    Memory.objects.filter(pk__in=[pk for _, pk in ended]).update(expires_at=GreenroomNow())


def _kept_of(talk: Talk, message_id: int) -> bool:
    return Memory.objects.filter(agent_id=talk.agent_id, source_message_id=message_id).exists()


def _memory(talk: Talk, said: Said, text: str, *, lifetime: timedelta | None) -> Memory:
    room = talk.room
    return Memory(
        workspace_id=talk.workspace_id,
        agent_id=talk.agent_id,
        person_id=talk.person_id,
        room_id=talk.room_id,
        audience=rules.audience_in(
            kind=room.kind,
            visibility=room.visibility,
            parent_visibility=room.parent.visibility if room.parent else None,
        ),
        text=text,
        text_hash=text_hash(text),
        source_turn_id=said.turn_id,
        expires_at=GreenroomNow() + lifetime if lifetime else None,
    )


def _record(type: str, talk: Talk, payload: dict[str, object]) -> None:
    events.record(
        type=type,
        subject_kind="talk",
        subject_id=talk.pk,
        workspace_id=talk.workspace_id,
        agent_id=talk.agent_id,
        room_id=talk.room_id,
        payload=payload,
    )
