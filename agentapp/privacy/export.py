"""Everything agents hold about a person, as plain data."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from agentapp.conversation.models import Attachment
from agentapp.identity.models import Agent, Person
from agentapp.memory.models import Fact, Memory
from agentapp.presence.models import Membership
from agentapp.privacy.queries import left_where
from agentapp.relations.models import Relationship


def export_person(*, person: Person, agents: Collection[Agent]) -> dict[str, object]:
    """Return what these agents hold about a person, ready for JSON; seven queries.

    What was deleted or lost its source is not in it.
    """
    ids = [agent.pk for agent in agents]
    memories = Memory.objects.filter(
        person=person, agent_id__in=ids, withdrawn_at__isnull=True, deleted_at__isnull=True
    )
    facts = {fact.memory_id: fact for fact in Fact.objects.filter(memory__in=memories)}
    bonds = Relationship.objects.filter(person=person, agent_id__in=ids)
    names = {agent.pk: agent.name for agent in agents}
    return {
        "person": {
            "id": person.pk,
            "name": person.name,
            "neverRemember": person.never_remember,
            "leftAloneSince": _time(person.stopped_at),
            "handles": [
                {"platform": handle.platform, "id": handle.external_id, "name": handle.name}
                for handle in person.identities.order_by("pk")
            ],
            "left": [
                {"platform": platform, "server": server, "at": _time(at)}
                for platform, server, at in left_where(Membership.objects.filter(agent__in=ids))
                .filter(identity__person=person)
                .order_by("left_at")
                .values_list("identity__platform", "group_name", "left_at")
            ],
        },
        "relationships": [
            {
                "agent": names[bond.agent_id],
                "exchanges": bond.exchanges,
                "lastContactAt": _time(bond.last_contact_at),
            }
            for bond in bonds.order_by("agent_id")
        ],
        "memories": [
            _memory(each, agent=names[each.agent_id], fact=facts.get(each.pk))
            for each in memories.select_related("room").order_by("pk")
        ],
        "files": _files(person, ids),
    }


def _files(person: Person, agent_ids: Collection[int]) -> list[dict[str, object]]:
    """Return what a person sent where these agents are; the bytes stay with their messages."""
    rows = (
        Attachment.objects.filter(
            message__author__person=person,
            message__deleted_at__isnull=True,
            message__room__memberships__agent__in=agent_ids,
            message__room__memberships__left_at__isnull=True,
        )
        .select_related("file", "message__room")
        .order_by("pk")
        .distinct()
    )
    return [
        {
            "name": row.name,
            "type": row.file.content_type if row.file else row.said_type,
            "bytes": row.file.size if row.file else None,
            "sha256": row.file.sha256 if row.file else None,
            "room": str(row.message.room),
            "message": row.message_id,
            "sentAt": _time(row.message.sent_at),
        }
        for row in rows
    ]


def _memory(memory: Memory, *, agent: str, fact: Fact | None) -> dict[str, object]:
    return {
        "id": memory.pk,
        "agent": agent,
        "kind": memory.kind,
        "tier": memory.tier,
        "text": memory.text,
        "audience": memory.audience,
        "room": str(memory.room) if memory.room else None,
        "messages": memory.source_messages or [memory.source_message_id],
        "rememberedAt": _time(memory.created_at),
        "expiresAt": _time(memory.expires_at),
        "correctedAt": _time(memory.corrected_at),
        "fact": fact
        and {
            "subject": fact.subject,
            "predicate": fact.predicate,
            "object": fact.object,
            "confidence": fact.confidence,
            "status": fact.status,
        },
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
