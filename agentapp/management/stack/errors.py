"""What stops a host from starting, in words for the person at the terminal."""

from __future__ import annotations

from agentapp.foundation.errors import AgentError


class StackError(AgentError):
    """The host cannot start."""

    code = "stack"
