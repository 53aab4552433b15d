"""The admin's tables about what is between agents and people."""

from __future__ import annotations

from agentapp.relations.models import Quiet, Relationship
from dashboard.admin.reading import register

register(Relationship)
register(Quiet)
