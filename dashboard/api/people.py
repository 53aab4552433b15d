"""People: whom agents know, what they remember of them, and what may be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from agentapp.foundation.errors import NotFound
from agentapp.identity.models import Agent, Person, User
from agentapp.memory.models import Memory
from agentapp.memory.services import corrections
from agentapp.privacy import queries
from agentapp.privacy import services as privacy
from agentapp.privacy.export import export_person
from dashboard.api.callers import Scope, caller
from dashboard.api.paging import Limit, page
from dashboard.api.shapes import Heard, Page, Wire, Words
from dashboard.presenters.departures import left_by

router = Router(tags=["people"], by_alias=True)


class LeftOut(Wire):
    """A server that somebody left, and when that was noticed."""

    where: str
    at: datetime


class PersonOut(Wire):
    """A person that one of your agents talked to; `left` names servers with your agents."""

    id: int
    workspace_id: int
    name: str
    never_remember: bool
    created_at: datetime
    left: list[LeftOut]


class PersonPage(Page):
    """A page of people."""

    items: list[PersonOut]


class MemoryOut(Wire):
    """Something remembered: in whose words, from where, and who may hear it again."""

    id: int
    agent_id: int
    person_id: int
    room_id: int | None
    kind: str
    tier: str
    text: str
    audience: str
    source_message_id: int | None
    source_messages: list[int]
    uses: int
    created_at: datetime
    expires_at: datetime | None
    corrected_at: datetime | None
    deleted_at: datetime | None


class MemoryPage(Page):
    """A page of memories."""

    items: list[MemoryOut]


class MemoryPatch(Heard):
    """What is true instead."""

    text: Words = Field(max_length=1_000)


class NeverIn(Heard):
    """Whether nothing about a person is to be remembered."""

    on: bool


class GoneOut(Wire):
    """What one agent forgot; facts and summaries are among the memories."""

    agent_id: int
    memories: int
    facts: int
    summaries: int


class ReceiptOut(Wire):
    """What went, and what remains."""

    gone: list[GoneOut]
    relationships: int
    remains: list[str]


class ExportOut(Wire):
    """Everything your agents hold about a person."""

    person: dict[str, Any]
    relationships: list[dict[str, Any]]
    memories: list[dict[str, Any]]


@router.get("/people", response=PersonPage)
def list_people(
    request: HttpRequest, q: str = "", cursor: str = "", limit: Limit = 50
) -> dict[str, object]:
    """List the people your agents know, the newest first; `q` searches by name."""
    user = caller(request, Scope.READ)
    rows = queries.known_people(user).filter(name__icontains=q.replace("\x00", ""))
    found = page(rows, cursor=cursor, limit=limit)
    return {**found, "items": _shown(user, found["items"])}


@router.get("/people/{personId}", response=PersonOut)
def get_person(
    request: HttpRequest,
    personId: int,  # noqa: N803  (the wire's name)
) -> dict[str, object]:
    """Show a person."""
    user = caller(request, Scope.READ)
    return _shown(user, [_person(user, personId)])[0]


@router.get("/people/{personId}/memories", response=MemoryPage)
def list_memories(
    request: HttpRequest,
    personId: int,  # noqa: N803
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, object]:
    """List what your agents remember of a person, the newest first."""
    user = caller(request, Scope.READ)
    row = _person(user, personId)
    return page(queries.memories_of(user).filter(person=row), cursor=cursor, limit=limit)


@router.get("/people/{personId}/export", response=ExportOut)
def export(request: HttpRequest, personId: int) -> dict[str, object]:  # noqa: N803
    """Hand out everything your agents hold about a person."""
    user = caller(request, Scope.READ)
    row = _person(user, personId)
    return export_person(person=row, agents=_agents(user, row))


@router.post("/people/{personId}/forget", response=ReceiptOut)
def forget(request: HttpRequest, personId: int) -> dict[str, object]:  # noqa: N803
    """Let your agents start again with a person: all they remember of them goes for good."""
    user = caller(request, Scope.WRITE)
    row = _person(user, personId)
    receipt = privacy.forget(person=row, agents=_agents(user, row), by=user)
    return {
        "gone": [each for _, each in receipt.gone],
        "relationships": receipt.relationships,
        "remains": list(receipt.remains),
    }


@router.post("/people/{personId}/never-remember", response=PersonOut)
def never_remember(
    request: HttpRequest,
    personId: int,  # noqa: N803
    body: NeverIn,
) -> dict[str, object]:
    """Have nothing about a person remembered or recalled any more, or have it again."""
    user = caller(request, Scope.WRITE)
    row = _person(user, personId)
    privacy.set_never_remember(person=row, on=body.on, by=user)
    return _shown(user, [_person(user, personId)])[0]


@router.patch("/memories/{memoryId}", response=MemoryOut)
def correct(request: HttpRequest, memoryId: int, body: MemoryPatch) -> Memory:  # noqa: N803
    """Put a memory's words right; it still says where it came from."""
    user = caller(request, Scope.WRITE)
    return corrections.correct_memory(memory=_memory(user, memoryId), text=body.text, by=user)


@router.delete("/memories/{memoryId}", response={204: None})
def delete(request: HttpRequest, memoryId: int) -> Status[None]:  # noqa: N803
    """Take a memory away; it can be restored for a day."""
    user = caller(request, Scope.WRITE)
    corrections.delete_memory(memory=_memory(user, memoryId), by=user)
    return Status(204, None)


@router.post("/memories/{memoryId}/restore", response=MemoryOut)
def restore(request: HttpRequest, memoryId: int) -> Memory:  # noqa: N803
    """Take a deletion back."""
    user = caller(request, Scope.WRITE)
    corrections.restore_memory(memory=_memory(user, memoryId), by=user)
    return _memory(user, memoryId)


def _shown(user: User, people: Sequence[Person]) -> list[dict[str, object]]:
    left = left_by(user, people)
    return [
        {
            "id": person.pk,
            "workspace_id": person.workspace_id,
            "name": person.name,
            "never_remember": person.never_remember,
            "created_at": person.created_at,
            "left": [{"where": each.where, "at": each.at} for each in left.get(person.pk, [])],
        }
        for person in people
    ]


def _person(user: User, person_id: int) -> Person:
    row = queries.known_people(user).filter(pk=person_id).first()
    if row is None:
        raise NotFound
    return row


def _agents(user: User, person: Person) -> list[Agent]:
    return list(queries.agents_that_know(user, person))


def _memory(user: User, memory_id: int) -> Memory:
    row = queries.memories_of(user).filter(pk=memory_id).first()
    if row is None:
        raise NotFound
    return row
