"""The rehearsal model of demo workspaces: a small program that answers from its prompt alone."""

from __future__ import annotations

from agentapp.llm.adapters.rehearsal.adapter import RehearsalAdapter

__all__ = ["RehearsalAdapter"]
