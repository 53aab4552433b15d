"""Why an agent wrote something, in words for one member: from the record, never from a model.

What was read for it is told only as far as this member may see it, which SQL decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentapp.commands.shapes import Asked
from agentapp.conversation.models import Message
from agentapp.conversation.rules import stored_id
from agentapp.drafts.models import Draft
from agentapp.foundation.text import one_line
from agentapp.identity.models import Identity, Participant
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn

MOST_REASONS = 2
MOST_MEMORIES = 3
WORDS_SHOWN = 120  # characters of one memory


def meant_message(asked: Asked) -> Message | None:
    """Return what is asked about: the chosen message, else the last one of the room's agents."""
    if asked.room is None:
        return None
    said = Message.objects.select_related("author").filter(
        room=asked.room,
        is_known=True,
        deleted_at__isnull=True,
        author__kind=Identity.Kind.AGENT,
    )
    if asked.call.target:
        return said.filter(external_id=stored_id(asked.call.target)).first()
    own = said.filter(author__agent=asked.call.agent_id) if asked.call.agent_id else said
    return own.order_by("-pk").first()


def explain(message: Message, asked: Asked) -> str:
    """Say in two or three sentences why a message was written, and what was read for it."""
    draft = (
        Draft.objects.filter(pieces__message=message)
        .select_related("turn", "agent")
        .order_by("pk")
        .first()
    )
    if draft is None:
        return "Nothing is recorded about why this was written."
    name = draft.agent.name
    if draft.metadata.get("notice"):
        return f"This is a fixed text of the host, not {name}'s own words. {draft.why}".strip()
    turn = draft.turn
    if turn is None:
        return f"The person who runs {name} wrote this, or had it written, by hand."
    approved = f"{_who_let(draft)} {_sources(turn, asked)}"
    return f"{name} wrote this. {_reasons(turn)} {approved}".strip()


def _reasons(turn: Turn) -> str:
    """Return why it answered; the words were made from what the room itself could see."""
    told = [str(each["words"]) for each in turn.reasons if each.get("kind") != "no"]
    return " ".join(told[:MOST_REASONS]) or "Nobody noted a reason."


def _who_let(draft: Draft) -> str:
    if draft.decided_by_id is not None:
        return "A person looked at it before it was sent."
    return "It was sent on its own."


def _sources(turn: Turn, asked: Asked) -> str:
    messages, memories = _ids(turn.context, "messages"), _ids(turn.context, "memories")
    if not messages and not memories:
        return "It read nothing else for it."
    seen = _seen_messages(messages, asked)
    texts = _own_memories(memories, asked)
    parts = [f"{seen} {'message' if seen == 1 else 'messages'} that you can read too"]
    if texts:
        parts.append(f"{len(texts)} {'memory' if len(texts) == 1 else 'memories'} of you")
    said = f"It had read {' and '.join(parts)}."
    if texts and asked.is_alone:
        shown = [f"- {one_line(text, limit=WORDS_SHOWN)}" for text in texts[:MOST_MEMORIES]]
        said = "\n".join([said, *shown])
    if seen < len(messages) or len(texts) < len(memories):
        said += ("\n" if "\n" in said else " ") + "Some sources are private."
    return said


def _seen_messages(ids: list[int], asked: Asked) -> int:
    """Count the messages that stand in rooms where this person is."""
    rooms = Participant.objects.filter(identity__person=asked.person, left_at__isnull=True)
    return Message.objects.filter(
        pk__in=ids, room__in=rooms.values("room"), is_known=True, deleted_at__isnull=True
    ).count()


def _own_memories(ids: list[int], asked: Asked) -> list[str]:
    """Return what was remembered of this person, and of nobody else."""
    own = Memory.objects.filter(
        pk__in=ids, person=asked.person, withdrawn_at__isnull=True, deleted_at__isnull=True
    )
    return list(own.order_by("pk").values_list("text", flat=True))


def _ids(context: Mapping[str, object], block: str) -> list[int]:
    named = context.get(block, [])
    listed = named if isinstance(named, list) else [named]
    return [pk for pk in listed if isinstance(pk, int) and not isinstance(pk, bool)]
