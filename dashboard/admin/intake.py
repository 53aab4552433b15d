"""The admin's tables about the work queue."""

from __future__ import annotations

from agentapp.intake.models import Lane, SpeakerClaim
from dashboard.admin.reading import register

register(Lane, SpeakerClaim)
