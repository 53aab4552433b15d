"""Uses of commands for the tests."""

from __future__ import annotations

from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import Author, Place
from agentapp.identity.models import User
from tests.cast import Cast


def call(
    cast: Cast,
    command: str,
    external_id: str = "$1",
    *,
    user: User | None = None,
    **changes: object,
) -> Call:
    """Return a command that Sam, or somebody else, typed in the lounge."""
    handle = cast.identity(user or cast.sam)
    values: dict[str, object] = {
        "workspace_id": cast.workspace.pk,
        "platform": "local",
        "place": Place(cast.lounge.external_id),
        "author": Author(handle.external_id, handle.name),
        "command": command,
        "external_id": external_id,
    }
    return Call(**values | changes)  # type: ignore[arg-type]
