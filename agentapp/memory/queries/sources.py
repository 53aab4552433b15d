"""Reads of what may be remembered, and of what still lacks a vector."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet

from agentapp.conversation.models import Message
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Identity
from agentapp.memory.models import Memory, Talk
from agentapp.turns.models import Turn


@dataclass(frozen=True, slots=True)
class Pending:
    """A memory without a vector of the present model."""

    id: int
    text: str
    workspace_id: int


def get_turn_answering(*, turn_id: int, message_id: int) -> Turn | None:
    """Return the turn if the message's author addressed its agent there; one query."""
    return _answering.first(turn_id=turn_id, message_id=message_id)


@prepared
def _answering(turn_id: int, message_id: int) -> QuerySet[Turn]:
    return Turn.objects.filter(_addressed_in(message_id), id=turn_id)


def list_turns_that_answered(*, message_id: int) -> list[Turn]:
    """List the turns that decided on this message, or remembered it, of any agent; one query."""
    remembered = Memory.objects.filter(source_message_id=message_id).values("source_turn_id")
    return list(
        Turn.objects.filter(
            _addressed_in(message_id),
            Q(trigger_kind=Turn.Trigger.MESSAGE, trigger_id=message_id) | Q(id__in=remembered),
        )
        .order_by("agent_id", "-id")
        .distinct("agent_id")
    )


def _addressed_in(message_id: int) -> Q:
    return Q(
        addressed=True,
        person__isnull=False,
        room__messages=message_id,
        person__identities__messages=message_id,
    )


def memorable_messages() -> Q:
    """Select messages that may be remembered, by what is known of room and author."""
    return Q(
        is_known=True,
        deleted_at__isnull=True,
        room__is_tryout=False,
        author__kind__in=[Identity.Kind.HUMAN, Identity.Kind.SCRIPTED],
        author__person__never_remember=False,
        author__person__stopped_at__isnull=True,
        author__person__workspace=F("workspace"),
    )


def get_memorable_message(*, message_id: int) -> Message | None:
    """Return the message with room and author if it may be remembered; one query."""
    return _memorable.first(message_id=message_id)


@prepared
def _memorable(message_id: int) -> QuerySet[Message]:
    return Message.objects.filter(memorable_messages(), id=message_id).select_related(
        "room__parent", "author"
    )


def is_forgotten(*, turn: Turn, message: Message) -> bool:
    """Say whether the turn's agent was told to forget what was said up to this message."""
    return Talk.objects.filter(
        agent_id=turn.agent_id,
        room_id=message.room_id,
        person_id=turn.person_id or 0,
        forgotten_through__gte=message.pk,
    ).exists()


def made_of(message_id: int) -> Q:
    """Select memories that came from a message, be it one source of several."""
    return Q(source_message_id=message_id) | Q(source_messages__contains=[message_id])


def list_pending(*, limit: int) -> list[Pending]:
    """List the oldest memories without any vector; one query."""
    rows = _alive().filter(embedding__isnull=True).order_by("id")
    return [Pending(*row) for row in rows.values_list("id", "text", "workspace_id")[:limit]]


def list_stale(*, workspace_id: int, model: str, limit: int) -> list[Pending]:
    """List memories of a workspace whose vectors are of another model; one query."""
    rows = _alive().filter(workspace_id=workspace_id, embedding__isnull=False)
    stale = rows.exclude(embedding_model=model).order_by("id")
    return [Pending(*row) for row in stale.values_list("id", "text", "workspace_id")[:limit]]


def count_moved(*, workspace_id: int, model: str) -> tuple[int, int]:
    """Count a workspace's memories that have vectors of a model, and all of them; one query."""
    counted = (
        _alive()
        .filter(workspace_id=workspace_id)
        .aggregate(moved=Count("pk", filter=Q(embedding_model=model)), all=Count("pk"))
    )
    return counted["moved"], counted["all"]


def _alive() -> QuerySet[Memory]:
    return Memory.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=GreenroomNow()),
        withdrawn_at__isnull=True,
        deleted_at__isnull=True,
    )
