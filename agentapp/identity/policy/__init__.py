"""Who may see and do what; see `seeing` and `doing`."""

from __future__ import annotations

from agentapp.identity.policy.doing import Verb, can, has_seat, may_all_chat, require
from agentapp.identity.policy.seeing import (
    HOST,
    Unscoped,
    Viewer,
    get,
    scope_of,
    visible,
    visible_to_each,
)

__all__ = [
    "HOST",
    "Unscoped",
    "Verb",
    "Viewer",
    "can",
    "get",
    "has_seat",
    "may_all_chat",
    "require",
    "scope_of",
    "visible",
    "visible_to_each",
]
