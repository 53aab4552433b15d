"""Incoming messages and changes with as little said as possible."""

from __future__ import annotations

from typing import Any

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingDelete,
    IncomingEdit,
    IncomingReaction,
    Place,
)
from agentapp.identity.models import Room
from tests.cast import Cast

SAM = Author(external_id="@sam:example.org", name="Sam of the Matrix")
BOT = Author(external_id="@weather:example.org", name="Weather", kind=AuthorKind.BOT)
GARDEN = Place(external_id="!garden:example.org", name="Garden")


def incoming(cast: Cast, text: str = "Hello.", **changes: Any) -> Incoming:
    values: dict[str, Any] = {
        "workspace_id": cast.workspace.pk,
        "platform": "matrix",
        "place": GARDEN,
        "external_id": "$1",
        "author": SAM,
        "text": text,
    }
    return Incoming(**values | changes)


def edit(cast: Cast, text: str, **changes: Any) -> IncomingEdit:
    return IncomingEdit(**_change(cast) | {"external_id": "$1", "text": text} | changes)


def deletion(cast: Cast, **changes: Any) -> IncomingDelete:
    return IncomingDelete(**_change(cast) | {"external_id": "$1"} | changes)


def reaction(cast: Cast, emoji: str = "❤️", **changes: Any) -> IncomingReaction:
    values = {"message_external_id": "$1", "author": SAM, "emoji": emoji}
    return IncomingReaction(**_change(cast) | values | changes)


def in_room(room: Room) -> dict[str, Any]:
    """Say where: in this web room."""
    return {"platform": room.platform, "place": Place(external_id=room.external_id)}


def _change(cast: Cast) -> dict[str, Any]:
    return {"workspace_id": cast.workspace.pk, "platform": "matrix", "place": GARDEN}
