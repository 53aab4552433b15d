from __future__ import annotations

from collections.abc import Callable

import pytest

from agentapp.conversation.models import Message
from agentapp.identity.models import Room
from agentapp.turns.models import Turn
from tests.agentapp.memory.world import Builder, Tenant


@pytest.fixture
def builder() -> Builder:
    return Builder()


@pytest.fixture
def tenant(db: None, builder: Builder) -> Tenant:
    return builder.tenant("Here")


MakeTold = Callable[..., tuple[Message, Turn]]


@pytest.fixture
def told(builder: Builder, tenant: Tenant) -> MakeTold:
    """Have the first person tell the first agent something; in the first public room."""

    def tell(text: str, *, room: Room | None = None, **turn: object) -> tuple[Message, Turn]:
        author = tenant.identities[tenant.people[0].pk]
        message = builder.message(room or tenant.rooms[0], author, text)
        return message, builder.turn(tenant.agents[0], message, **turn)

    return tell
