"""The admin's tables about rewards."""

from __future__ import annotations

from agentapp.feedback.models import Feedback
from dashboard.admin.reading import register

register(Feedback)
