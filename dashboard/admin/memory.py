"""The admin's tables about what is remembered."""

from __future__ import annotations

from agentapp.memory.models import EmbeddingChoice, Fact, Memory, Talk
from dashboard.admin.reading import register

register(Memory)
register(Fact)
register(Talk)
register(EmbeddingChoice)
