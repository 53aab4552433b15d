"""Reading drafts: the inbox, what a card shows, and what an owner's decisions teach."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Count, Q, QuerySet

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, DraftRevision, Outbound
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Agent, Participant, Room, User
from agentapp.identity.policy import visible

MESSAGES_BEFORE = 2
LESSONS = 5


@dataclass(frozen=True, slots=True)
class CardContext:
    """What a card shows around a draft: the messages before it (oldest first), who can read."""

    before: list[Message] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an owner made of a draft. `after` is empty when it was refused, `why` says why."""

    before: str
    after: str
    why: str


def inbox(user: User) -> QuerySet[Draft]:
    """Return what waits for a user's decision now, the oldest first; snoozed ones are hidden."""
    return (
        visible(Draft, user)
        .filter(status=Draft.Status.PENDING, agent__owner=user, expires_at__gt=GreenroomNow())
        .filter(Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=GreenroomNow()))
        .select_related("agent", "room", "target", "target__author", "turn", "workspace")
        .order_by("id")
    )


def card_context(drafts: Sequence[Draft]) -> dict[int, CardContext]:
    """Return per draft id what its card shows around it. Three queries for any number."""
    before = _messages_before(drafts)
    readers: dict[int, list[str]] = defaultdict(list)
    rows = (
        Participant.objects.filter(
            room_id__in={draft.room_id for draft in drafts}, left_at__isnull=True
        )
        .select_related("identity")
        .order_by("id")
    )
    for row in rows:
        readers[row.room_id].append(row.identity.name)
    return {
        draft.pk: CardContext(before=before.get(draft.pk, []), readers=readers[draft.room_id])
        for draft in drafts
    }


def lessons(*, agent_id: int, kind: str, limit: int = LESSONS) -> list[Lesson]:
    """Return an owner's latest corrections of an agent's drafts of a kind, newest first.

    An edit gives the pair (what the agent wrote, what was sent); a refusal gives the text and the
    reason. Two queries.
    """
    decided = list(
        Draft.objects.filter(agent_id=agent_id, kind=kind)
        .filter(Q(status=Draft.Status.REJECTED) | Q(status=Draft.Status.PUBLISHED, version__gt=1))
        .order_by("-id")[: 2 * limit]
    )
    first = dict(
        DraftRevision.objects.filter(draft__in=decided, n=1).values_list("draft_id", "text")
    )
    taught = [
        Lesson(
            before=first.get(draft.pk, draft.text),
            after="" if draft.status == Draft.Status.REJECTED else draft.text,
            why=draft.reason,
        )
        for draft in decided
    ]
    return [lesson for lesson in taught if lesson.before != lesson.after][:limit]


def counts(user: User) -> dict[str, int]:
    """Return how many drafts wait for a user: `real` and, apart from them, `demo`."""
    rows = inbox(user).select_related(None).values_list("workspace__is_demo", flat=True)
    flags = list(rows.order_by())
    return {"real": flags.count(False), "demo": flags.count(True)}


def _messages_before(drafts: Iterable[Draft]) -> dict[int, list[Message]]:
    """Return the two messages before each draft's moment, oldest first."""
    pairs = [(draft.pk, draft.room_id, draft.room_seen) for draft in drafts]
    if not pairs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id, m.id FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])"
            " AS d(id, room_id, seen) CROSS JOIN LATERAL ("
            "   SELECT id FROM agentapp_message WHERE room_id = d.room_id AND id <= d.seen"
            "   AND is_known AND deleted_at IS NULL ORDER BY id DESC LIMIT %s) m",
            [*map(list, zip(*pairs, strict=True)), MESSAGES_BEFORE],
        )
        links = cursor.fetchall()
    messages = Message.objects.select_related("author").in_bulk([pk for _, pk in links])
    before: dict[int, list[Message]] = defaultdict(list)
    for draft_id, message_id in sorted(links, key=lambda link: link[1]):
        before[draft_id].append(messages[message_id])
    return before


@prepared
def agent(agent_id: int) -> QuerySet[Agent]:
    """Return an agent with its owner; one query."""
    return Agent.objects.select_related("owner").filter(pk=agent_id)


@prepared
def locked_agent(agent_id: int) -> QuerySet[Agent, int]:
    """Lock an agent's row, inside a transaction; one query."""
    return (
        Agent.objects.select_for_update(no_key=True)
        .filter(pk=agent_id)
        .values_list("pk", flat=True)
    )


@prepared
def room(room_id: int) -> QuerySet[Room]:
    """Return a room; one query."""
    return Room.objects.filter(pk=room_id)


@prepared
def target(message_id: int, room_id: int) -> QuerySet[Message, int]:
    """Return the message's id if it is in that room; one query."""
    return Message.objects.filter(pk=message_id, room_id=room_id).values_list("pk", flat=True)


@prepared
def with_keys(keys: list[str]) -> QuerySet[Draft]:
    """Return the drafts with these keys; one query."""
    return Draft.objects.filter(key__any=keys)


def pending_of(agent_ids: Collection[int]) -> Counter[int]:
    """Count what waits of these agents; one query, none for no agents."""
    if not agent_ids:
        return Counter()
    rows = Draft.objects.filter(agent_id__in=agent_ids, status=Draft.Status.PENDING)
    return Counter(dict(rows.values_list("agent_id").annotate(n=Count("id")).order_by()))


def names_taken(*, account_id: uuid.UUID, among: Collection[str]) -> set[str]:
    """Return which of these ids on a platform are known to be pieces of a login; one query."""
    return set(
        Outbound.objects.filter(
            account_id=account_id, external_id__in=list(among), action=Outbound.Action.SEND
        ).values_list("external_id", flat=True)
    )
