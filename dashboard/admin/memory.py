"""The admin's tables about what is remembered."""

from __future__ import annotations

from agentapp.memory.models import Memory
from dashboard.admin.reading import register

register(Memory)
