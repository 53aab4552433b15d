"""Changes to who and where: logins and seats, tokens, agents, people, rooms."""

from __future__ import annotations

from agentapp.identity.services.agents import (
    archive_agent,
    create_agent,
    pause_agent,
    pin_version,
    rename_agent,
    resume_agent,
    save_version,
)
from agentapp.identity.services.people import ensure_identity, ensure_local_identity
from agentapp.identity.services.rooms import (
    archive_room,
    create_room,
    join_by_link,
    join_room,
    leave_room,
    make_room_link,
    mark_read,
    rename_room,
    revoke_room_links,
    set_dial,
    set_reply_mode,
)
from agentapp.identity.services.tenancy import (
    LinkSpent,
    consume_login_link,
    create_workspace,
    ensure_workspace,
    first_run_user,
    give_seat,
    make_login_link,
    set_profile,
    set_theme,
    set_timezone,
)
from agentapp.identity.services.tokens import make_api_token, revoke_api_token, token_user

__all__ = [
    "LinkSpent",
    "archive_agent",
    "archive_room",
    "consume_login_link",
    "create_agent",
    "create_room",
    "create_workspace",
    "ensure_identity",
    "ensure_local_identity",
    "ensure_workspace",
    "first_run_user",
    "give_seat",
    "join_by_link",
    "join_room",
    "leave_room",
    "make_api_token",
    "make_login_link",
    "make_room_link",
    "mark_read",
    "pause_agent",
    "pin_version",
    "rename_agent",
    "rename_room",
    "resume_agent",
    "revoke_api_token",
    "revoke_room_links",
    "save_version",
    "set_dial",
    "set_profile",
    "set_reply_mode",
    "set_theme",
    "set_timezone",
    "token_user",
]
