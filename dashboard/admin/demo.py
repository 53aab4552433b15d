"""The admin's tables about demos."""

from __future__ import annotations

from agentapp.demo.models import DemoRun
from dashboard.admin.reading import register

register(DemoRun)
