"""Something that Ada remembers of somebody, for the tests of pages and API."""

from __future__ import annotations

from agentapp.identity.models import Room, User
from agentapp.identity.services import stays
from agentapp.memory.models import Memory
from agentapp.memory.services import text_hash
from agentapp.relations.models import Relationship
from tests.cast import Cast, make_message


def make_memory(cast: Cast, user: User, text: str = "I have two cats.", **fields: object) -> Memory:
    """Have a user say something in the lounge that Ada then remembers."""
    message = make_message(cast, user, text)
    person = cast.identity(user).person
    assert person
    Relationship.objects.get_or_create(
        workspace=cast.workspace, agent=cast.ada, person=person, defaults={"exchanges": 3}
    )
    values: dict[str, object] = {
        "workspace": cast.workspace,
        "agent": cast.ada,
        "person": person,
        "room": cast.lounge,
        "audience": Memory.Audience.PUBLIC,
        "text": text,
        "text_hash": text_hash(text),
        "source_message_id": message.pk,
    }
    return Memory.objects.create(**values | fields)


def leaves(cast: Cast, user: User, server: str = "Pond <b>") -> None:
    """Have a handle of a user's leave the server that the lounge is part of."""
    Room.objects.filter(pk=cast.lounge.pk).update(group_id="pond")
    stays.left(identity=cast.identity(user), group=stays.Group("pond", server))
