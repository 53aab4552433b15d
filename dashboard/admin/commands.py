"""The admin's table of commands that were used."""

from __future__ import annotations

from agentapp.commands.models import CommandCall
from dashboard.admin.reading import register

register(CommandCall)
