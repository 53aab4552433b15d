"""Celery's entry points: thin, one file per clock hand, each safe to run twice.

Named as in the beat table. Every one gives its database connection back.
"""

from __future__ import annotations

from agentapp.tasks.commands import tick_commands
from agentapp.tasks.demo import tick_demo
from agentapp.tasks.drafts import tick_drafts
from agentapp.tasks.gateway import tick_gateway
from agentapp.tasks.lanes import tick_lanes
from agentapp.tasks.memory import tick_memory, tick_memory_upkeep
from agentapp.tasks.safety import tick_safety
from agentapp.tasks.talks import tick_talks

__all__ = [
    "tick_commands",
    "tick_demo",
    "tick_drafts",
    "tick_gateway",
    "tick_lanes",
    "tick_memory",
    "tick_memory_upkeep",
    "tick_safety",
    "tick_talks",
]
