"""The admin's tables about what holds agents back."""

from __future__ import annotations

from agentapp.safety.models import Finding, PolicyRule, SafetyState
from dashboard.admin.reading import register

register(Finding, PolicyRule, SafetyState)
