"""The error families. A class's docstring is its message when none is given."""

from __future__ import annotations


class AgentError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """One or two plain sentences: what happened and what to do."""
        return str(self)


class NotFound(AgentError):
    """There is nothing here, or you may not see it."""

    code = "not_found"


class Conflict(AgentError):
    """Somebody or something else was first. Reload to see the current state."""

    code = "conflict"


class Refused(AgentError):
    """A rule forbids this."""

    code = "refused"


class Invalid(AgentError):
    """What was sent cannot be used."""

    code = "invalid"


class Unavailable(AgentError):
    """Something this depends on does not answer at the moment."""

    code = "unavailable"
