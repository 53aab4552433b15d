"""Writes of what was said. The caller's transaction holds the rooms' locks (see `locked_room`).

Those locks make message ids become visible in their order inside a room, and changes of one
message follow each other instead of racing.
"""

from __future__ import annotations

from agentapp.conversation.services.attaching import settle_file
from agentapp.conversation.services.changing import (
    Change,
    apply_delete,
    apply_edit,
    apply_reaction,
    notice,
)
from agentapp.conversation.services.recording import (
    NewMessage,
    Recorded,
    locked_room,
    locked_rooms,
    record_all,
    record_message,
)

__all__ = [
    "Change",
    "NewMessage",
    "Recorded",
    "apply_delete",
    "apply_edit",
    "apply_reaction",
    "locked_room",
    "locked_rooms",
    "notice",
    "record_all",
    "record_message",
    "settle_file",
]
