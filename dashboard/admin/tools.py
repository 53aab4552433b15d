"""What models asked of tools."""

from __future__ import annotations

from agentapp.tools.models import ToolCall
from dashboard.admin.reading import register

register(ToolCall)
