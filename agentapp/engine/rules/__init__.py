"""The engine's decisions: pure functions over frozen views."""

from __future__ import annotations
