"""Ends what was asked for with commands."""

from __future__ import annotations

from celery import shared_task

from agentapp.commands.clearing import expire_words
from agentapp.foundation.database import fresh_connection
from agentapp.relations.services import expire_quiets


@shared_task(name="agentapp.tick_commands")
def tick_commands() -> int:
    """Every minute: let go of private answers nobody may open any more, and of ended quiets."""
    with fresh_connection():
        return expire_words() + expire_quiets()
