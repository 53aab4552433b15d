"""The host's tables, to read and never to write, for the admin alone."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from dashboard.admin import (
    appservices,
    cards,
    commands,
    conversation,
    demo,
    drafts,
    events,
    feedback,
    files,
    identity,
    intake,
    keyring,
    llm,
    memory,
    moderation,
    notifications,
    presence,
    relations,
    safety,
    tools,
    turns,
)

__all__ = [
    "appservices",
    "cards",
    "commands",
    "conversation",
    "demo",
    "drafts",
    "events",
    "feedback",
    "files",
    "identity",
    "intake",
    "keyring",
    "llm",
    "memory",
    "moderation",
    "notifications",
    "presence",
    "relations",
    "safety",
    "tools",
    "turns",
]

# One way in, with its limits and its second factor: the admin has no password form of its own.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign, no-untyped-call]
