"""Why there is no answer. The messages are for people and say what to do."""

from __future__ import annotations

from agentapp.foundation.errors import Conflict, Invalid, Refused, Unavailable
from agentapp.llm.adapters.protocol import FailureKind


class BudgetExhausted(Refused):
    """Today's budget is used up. Raise it under Costs, or wait until tomorrow."""

    code = "budget_exhausted"


class NoProvider(Unavailable):
    """No model is connected. Add one under Settings."""

    code = "no_provider"


class ProviderUnavailable(Unavailable):
    """The model gave no answer."""

    code = "provider_unavailable"

    def __init__(self, message: str | None = None, *, kind: FailureKind | None = None) -> None:
        """`kind` is None when the time was up."""
        super().__init__(message)
        self.kind = kind


class Stopped(Refused):
    """The answer was called off while it was being written."""

    code = "stopped"


class StillRunning(Conflict):
    """The same question is being answered right now."""


class Overtaken(Conflict):
    """The answer came so late that its money was already written off; it is not used."""


class NotProven(Invalid):
    """The model did not answer, so nothing was saved."""

    code = "not_proven"
