"""What is remembered of a person, and why, as far as the viewer may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.identity import policy
from agentapp.identity.models import User
from agentapp.memory.models import Fact, Memory
from dashboard.presenters.faces import Face
from dashboard.presenters.messages import shortened

QUOTE_CHARACTERS = 200

KINDS = {"episode": "said", "fact": "a fact", "summary": "summary of a talk", "lesson": "learned"}


@dataclass(frozen=True, slots=True)
class MemoryShown:
    """One thing remembered, and why.

    `source` is the message it came from, as far as the viewer may read it; `hides` says that the
    text appears after a tap, because it was said in private.
    """

    id: int
    text: str
    kind: str
    fact: str
    agent: Face
    room: str
    source: str
    source_url: str
    audience: str
    said_at: datetime
    expires_at: datetime | None
    uses: int
    hides: bool
    is_deleted: bool
    corrected_at: datetime | None


def show_memories(
    memories: Sequence[Memory], *, faces: Mapping[int, Face], viewer: User
) -> list[MemoryShown]:
    """Show memories, read with their rooms and facts, in their order; one query.

    Args:
        memories: Those of agents that the viewer may see; the caller has checked that.
        faces: Of their agents, by id.
        viewer: Messages that this user may not read are not quoted.
    """
    sources = _sources(viewer, memories)
    return [_memory(each, faces[each.agent_id], sources) for each in memories]


def audience_words(memory: Memory) -> str:
    """Say where a memory may be brought up again."""
    if memory.audience == Memory.Audience.DIRECT:
        return "only in private with them"
    if memory.audience == Memory.Audience.ROOM:
        return f"in {memory.room} and in private with them"
    if memory.audience == Memory.Audience.PUBLIC:
        return "in public rooms and in private with them"
    return "anywhere"


def _sources(viewer: User, memories: Sequence[Memory]) -> dict[int, Message]:
    ids = {_source_id(memory) for memory in memories}
    return policy.visible(Message, viewer).filter(deleted_at__isnull=True).in_bulk(ids)


def _source_id(memory: Memory) -> int:
    """Return the message a memory came from, the last one of several; 0 without any."""
    return memory.source_message_id or next(iter(memory.source_messages[-1:]), 0)


def _memory(memory: Memory, agent: Face, sources: Mapping[int, Message]) -> MemoryShown:
    source = sources.get(_source_id(memory))
    quote = shortened(source.text, QUOTE_CHARACTERS) if source else ""
    return MemoryShown(
        id=memory.pk,
        text=memory.text,
        kind=KINDS[memory.kind],
        fact=_fact_words(memory),
        agent=agent,
        room=str(memory.room) if memory.room else "",
        source="" if quote == memory.text else quote,
        source_url=f"{reverse('room', args=[source.room_id])}#message-{source.pk}"
        if source
        else "",
        audience=audience_words(memory),
        said_at=memory.created_at,
        expires_at=memory.expires_at,
        uses=memory.uses,
        hides=memory.audience == Memory.Audience.DIRECT,
        is_deleted=memory.deleted_at is not None,
        corrected_at=memory.corrected_at,
    )


def _fact_words(memory: Memory) -> str:
    fact: Fact | None = getattr(memory, "fact", None)
    if fact is None:
        return ""
    about = (
        f"Their {fact.subject}, {fact.predicate}" if fact.subject else fact.predicate.capitalize()
    )
    ended = "" if fact.status == Fact.Status.CURRENT else ", until they said otherwise"
    return f"{about}: {fact.object}{ended}"
