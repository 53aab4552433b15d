"""The admin's tables about keys: that there are some, never what they are."""

from __future__ import annotations

from agentapp.keyring.models import Key, Keyring, Unread
from dashboard.admin.reading import register

for model in (Keyring, Key, Unread):
    register(model)
