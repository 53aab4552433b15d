"""The admin's tables about the trail."""

from __future__ import annotations

from agentapp.events.models import Event, IdempotencyRecord
from dashboard.admin.reading import register

register(Event, IdempotencyRecord)
