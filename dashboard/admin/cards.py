"""The admin's tables about approval cards in direct chats."""

from __future__ import annotations

from agentapp.cards.models import Card, CardCode, CardLink
from dashboard.admin.reading import register

register(Card, CardCode, CardLink)
