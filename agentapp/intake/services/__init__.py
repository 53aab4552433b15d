"""Takes in what platforms and web rooms say, each in one transaction."""

from __future__ import annotations

from agentapp.intake.services.platform import (
    Accepted,
    accept,
    accept_delete,
    accept_edit,
    accept_in_web_rooms,
    accept_reaction,
)
from agentapp.intake.services.web import (
    delete_web_message,
    edit_web_message,
    post_web_message,
    react_web,
)

__all__ = [
    "Accepted",
    "accept",
    "accept_delete",
    "accept_edit",
    "accept_in_web_rooms",
    "accept_reaction",
    "delete_web_message",
    "edit_web_message",
    "post_web_message",
    "react_web",
]
