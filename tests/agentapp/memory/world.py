"""Makes workspaces with agents, people, rooms and memories, directly as rows."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, product

from agentapp.conversation.models import Message
from agentapp.foundation import clock
from agentapp.identity.models import (
    Agent,
    Blueprint,
    BlueprintVersion,
    Identity,
    Participant,
    Person,
    Room,
    User,
    Workspace,
)
from agentapp.memory.embeddings import EMBEDDING_DIMENSIONS, EMBEDDING_MODEL, Vector
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn


def random_vector(rng: random.Random) -> Vector:
    raw = [rng.gauss(0, 1) for _ in range(EMBEDDING_DIMENSIONS)]
    length = sum(x * x for x in raw) ** 0.5
    return [x / length for x in raw]


@dataclass
class Tenant:
    """A workspace with two agents, three people, and rooms of every kind."""

    workspace: Workspace
    agents: list[Agent]
    people: list[Person]
    identities: dict[int, Identity]
    rooms: list[Room]
    direct: dict[tuple[int, int], Room]


@dataclass
class Builder:
    """Makes rows with as little said as possible."""

    rng: random.Random = field(default_factory=lambda: random.Random(20261121))  # noqa: S311
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def tenant(self, name: str) -> Tenant:
        workspace = Workspace.objects.create(name=name)
        owner = User.objects.create_user(username=f"owner of {name}")
        agents = [self.agent(workspace, owner, f"{name} agent {n}") for n in range(2)]
        people = [Person.objects.create(workspace=workspace, name=f"P{n}") for n in range(3)]
        identities = {person.pk: self.identity(person) for person in people}
        public, other, private = (
            self.room(workspace, visibility=visibility)
            for visibility in ("public", "public", "private")
        )
        rooms = [public, other, private]
        for kind, parent in (("public", public), ("public", private), ("private", public)):
            rooms.append(self.room(workspace, visibility=kind, kind="thread", parent=parent))
        for room, person in product(rooms, people):
            Participant.objects.create(room=room, identity=identities[person.pk])
        direct = {}
        for agent, person in product(agents, people):
            room = self.room(workspace, kind="direct", visibility="private")
            Participant.objects.create(room=room, identity=identities[person.pk])
            direct[agent.pk, person.pk] = room
        return Tenant(workspace, agents, people, identities, rooms, direct)

    def agent(self, workspace: Workspace, owner: User, name: str) -> Agent:
        code = f"agent-{next(self.numbers)}"
        blueprint = Blueprint.objects.create(workspace=workspace, code=code, name=name)
        version = BlueprintVersion.objects.create(blueprint=blueprint, n=1, spec={}, hash=code)
        return Agent.objects.create(
            workspace=workspace, owner=owner, version=version, name=name, slug=code
        )

    def identity(self, person: Person, **changes: object) -> Identity:
        values: dict[str, object] = {
            "workspace": person.workspace,
            "platform": "local",
            "external_id": f"i{next(self.numbers)}",
            "name": person.name,
            "person": person,
        }
        return Identity.objects.create(**values | changes)

    def room(self, workspace: Workspace, **values: object) -> Room:
        number = next(self.numbers)
        return Room.objects.create(
            workspace=workspace, platform="local", external_id=f"r{number}", **values
        )

    def memory(
        self, agent: Agent, room: Room | None, person: Person | None, **changes: object
    ) -> Memory:
        text = f"memory {next(self.numbers)}"
        values: dict[str, object] = {
            "workspace_id": agent.workspace_id,
            "agent": agent,
            "room": room,
            "person": person,
            "audience": audience_made_in(room) if person else "agent",
            "text": text,
            "text_hash": hashlib.sha256(text.encode()).hexdigest(),
            "embedding": random_vector(self.rng),
            "embedding_model": EMBEDDING_MODEL,
            "embedding_dimensions": EMBEDDING_DIMENSIONS,
        }
        return Memory.objects.create(**values | changes)

    def message(self, room: Room, author: Identity, text: str, **changes: object) -> Message:
        values: dict[str, object] = {
            "workspace_id": room.workspace_id,
            "room": room,
            "external_id": f"m{next(self.numbers)}",
            "author": author,
            "text": text,
            "sent_at": clock.now(),
        }
        return Message.objects.create(**values | changes)

    def turn(self, agent: Agent, message: Message, **changes: object) -> Turn:
        values: dict[str, object] = {
            "workspace_id": agent.workspace_id,
            "agent": agent,
            "room": message.room,
            "person": message.author.person if message.author else None,
            "trigger_id": message.pk,
            "decision": Turn.Decision.RESPOND,
            "addressed": True,
        }
        return Turn.objects.create(**values | changes)


def audience_made_in(room: Room | None) -> str:
    """Say in words of the specification what a memory made in this room is open to."""
    assert room is not None
    if room.kind == "direct":
        return "direct"
    return "public" if is_open(room) else "room"


def is_open(room: Room) -> bool:
    if room.kind == "direct" or room.visibility != "public":
        return False
    return room.kind != "thread" or (room.parent is not None and room.parent.visibility == "public")
