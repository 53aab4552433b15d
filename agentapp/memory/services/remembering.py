"""Writes of memories."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from agentapp.conversation.models import Message
from agentapp.events import services as events
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import planned
from agentapp.memory import queries, rules
from agentapp.memory.embeddings import EmbeddingUnavailable, Vector
from agentapp.memory.models import Memory
from agentapp.memory.rules import talks as talk_rules
from agentapp.memory.vectors import OWN, Making, embed_by, making_for
from agentapp.turns.models import Turn

logger = logging.getLogger(__name__)

# Uses are a statistic: a row that another recall is counting is passed over, not waited for, and
# a try-out leaves no trace in it.
MARK_USED = """
WITH used AS MATERIALIZED (
    SELECT fits.id, count(*) AS times
    FROM unnest(%(ids)s::bigint[], %(rooms)s::bigint[]) AS fits(id, room_id)
    WHERE NOT EXISTS (SELECT FROM agentapp_room WHERE id = fits.room_id AND is_tryout)
    GROUP BY fits.id
), free AS MATERIALIZED (
    SELECT id FROM agentapp_memory WHERE id = ANY(%(ids)s::bigint[])
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE agentapp_memory memory
SET uses = memory.uses + used.times, last_used_at = greenroom_now()
FROM used JOIN free USING (id)
WHERE memory.id = used.id
"""


def remember(*, message_id: int, turn_id: int) -> list[int]:
    """Keep what a message says about its author, if that author addressed the agent.

    Reads: Turn, Message. Calls: the local embedding model, outside any transaction.
    Writes: Memory, Event; without a vector when the model is not to be had.
    Repeating it changes nothing; after an edit it takes in the new text.

    Args:
        message_id: The message; of its author only, never of people it speaks to.
        turn_id: The turn that decided on it: it must have been addressed by that author.

    Returns:
        The ids of all memories of this message that hold now; none when nothing may be kept.
    """
    message = queries.get_memorable_message(message_id=message_id)
    sentences = rules.memorable_sentences(message.text) if message else []
    if message is None or not sentences:
        return []
    turn = queries.get_turn_answering(turn_id=turn_id, message_id=message_id)
    if turn is None:
        return []
    vectors = _vectors(turn.workspace_id, sentences)
    return _store(turn=turn, seen=message, sentences=sentences, vectors=vectors)


def remember_words(*, message_id: int, turn_id: int, words: str) -> list[int]:
    """Keep words that stand in a message of whoever addressed the agent, as they stand there.

    Otherwise as `remember`: what is kept was really said, by the one it is kept of.

    Returns:
        The id of the memory; none when the words do not stand there or may not be kept.
    """
    message = queries.get_memorable_message(message_id=message_id)
    quoted = talk_rules.quoted(words, message.text) if message else ""
    turn = queries.get_turn_answering(turn_id=turn_id, message_id=message_id)
    if message is None or turn is None or not quoted:
        return []
    vectors = _vectors(turn.workspace_id, [quoted])
    return _store(turn=turn, seen=message, sentences=[quoted], vectors=vectors)


@transaction.atomic
def withdraw_from_message(*, message_id: int) -> int:
    """Make what was remembered of a message unhearable, because it was edited or deleted.

    That includes facts, and summaries of talks in which it was one message of several.

    Call it in the transaction that edits or deletes. Writes: Memory, Event.

    Returns:
        How many memories were withdrawn now; a second call finds none.
    """
    rows = Memory.objects.filter(queries.made_of(message_id), withdrawn_at__isnull=True)
    first = rows.order_by("id").first()
    if first is None:
        return 0
    count = rows.update(withdrawn_at=GreenroomNow())
    events.record(
        type="memory.withdrawn",
        subject_kind="message",
        subject_id=message_id,
        workspace_id=first.workspace_id,
        room_id=first.room_id,
        payload={"count": count},
    )
    return count


@transaction.atomic
def rewrite_from_message(*, message_id: int) -> list[int]:
    """Withdraw what was remembered of an edited message and keep what it says now instead.

    Call it in the transaction that edits. Calls no model: the new memories get their vectors from
    `indexing` soon after. Only those who decided on the message remember it, as in `remember`.

    Reads: Turn, Message. Writes: Memory, Events.

    Returns:
        The ids of the memories that hold now.
    """
    withdraw_from_message(message_id=message_id)
    message = queries.get_memorable_message(message_id=message_id)
    sentences = rules.memorable_sentences(message.text) if message else []
    if message is None or not sentences:
        return []
    return [
        memory_id
        for turn in queries.list_turns_that_answered(message_id=message_id)
        for memory_id in _store(
            turn=turn, seen=message, sentences=sentences, vectors=[None] * len(sentences)
        )
    ]


def mark_used(used: Sequence[tuple[int, int]]) -> None:
    """Count that memories were used for answers, from (memory id, room id); one statement."""
    if used:
        ids, rooms = [pk for pk, _ in used], [room_id for _, room_id in used]
        with planned() as cursor:
            cursor.execute(MARK_USED, {"ids": ids, "rooms": rooms})


def set_vector(*, memory_id: int, text: str, vector: Vector, making: Making = OWN) -> bool:
    """Give a memory its vector unless it has one of that model or its text changed meanwhile."""
    lacking = Q(embedding__isnull=True) | ~Q(embedding_model=making.name)
    taken = Memory.objects.filter(lacking, id=memory_id, text=text).update(
        embedding=vector,
        embedding_model=making.name,
        embedding_dimensions=making.dimensions,
    )
    faults.passing("vector.written")
    return taken == 1


def text_hash(text: str) -> str:
    """Return the same 64 characters for the same words, in whatever case."""
    return hashlib.sha256(text.casefold().encode()).hexdigest()


def _vectors(workspace_id: int, sentences: Sequence[str]) -> Sequence[Vector | None]:
    """Embed at once where that is quick; what a server embeds, `indexing` sends it in batches."""
    if making_for(workspace_id) is OWN:
        try:
            return embed_by(OWN, sentences)
        except EmbeddingUnavailable as error:
            logger.warning("memories are stored without vectors for now: %s", error)
    return [None] * len(sentences)


@transaction.atomic
def _store(
    *, turn: Turn, seen: Message, sentences: Sequence[str], vectors: Sequence[Vector | None]
) -> list[int]:
    if not _still_holds(seen) or queries.is_forgotten(turn=turn, message=seen):
        return []
    kept = dict(
        Memory.objects.filter(agent_id=turn.agent_id, source_message_id=seen.pk).values_list(
            "text_hash", "withdrawn_at"
        )
    )
    made = [
        _memory(turn=turn, message=seen, sentence=sentence, vector=vector)
        for sentence, vector in zip(sentences, vectors, strict=True)
        if text_hash(sentence) not in kept
    ]
    Memory.objects.bulk_create(made)
    held = Memory.objects.filter(
        agent_id=turn.agent_id,
        source_message_id=seen.pk,
        text_hash__in=[text_hash(sentence) for sentence in sentences],
    ).order_by("id")
    revived = held.filter(withdrawn_at__isnull=False).update(withdrawn_at=None)
    ids = list(held.values_list("id", flat=True))
    if made or revived:
        events.record(
            type="memory.remembered",
            subject_kind="message",
            subject_id=seen.pk,
            workspace_id=turn.workspace_id,
            agent_id=turn.agent_id,
            room_id=seen.room_id,
            payload={"memories": ids, "turn": turn.pk},
        )
    return ids


def _still_holds(seen: Message) -> bool:
    """Lock message and author: a deletion or a "never remember me" now comes before or after."""
    return (
        Message.objects.select_for_update(no_key=True, of=("self", "author__person"))
        .select_related("author__person")
        .filter(queries.memorable_messages(), id=seen.pk, text=seen.text, author=seen.author_id)
        .exists()
    )


def _memory(*, turn: Turn, message: Message, sentence: str, vector: Vector | None) -> Memory:
    weight = rules.weigh(sentence)
    room = message.room
    return Memory(
        workspace_id=turn.workspace_id,
        agent_id=turn.agent_id,
        person_id=turn.person_id,
        room=room,
        tier=weight.tier,
        audience=rules.audience_in(
            kind=room.kind,
            visibility=room.visibility,
            parent_visibility=room.parent.visibility if room.parent else None,
        ),
        text=sentence,
        text_hash=text_hash(sentence),
        embedding=vector,
        embedding_model=OWN.name if vector else "",
        embedding_dimensions=OWN.dimensions if vector else None,
        importance=weight.importance,
        source_message_id=message.pk,
        source_turn_id=turn.pk,
        expires_at=GreenroomNow() + weight.lifetime if weight.lifetime else None,
    )
