"""What stops a host from starting, in words for the person at the terminal."""

from __future__ import annotations


class CannotStart(Exception):
    """The host cannot start. The message is one sentence or two that say what to do."""
