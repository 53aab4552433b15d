"""The admin's tables about thoughts."""

from __future__ import annotations

from agentapp.turns.models import Turn
from dashboard.admin.reading import register

register(Turn)
