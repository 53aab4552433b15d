"""The admin's tables about models and money."""

from __future__ import annotations

from agentapp.llm.models import Budget, LLMCall, Provider, Rate, Reservation, Spend
from dashboard.admin.reading import register

register(Budget, LLMCall, Provider, Rate, Reservation, Spend)
