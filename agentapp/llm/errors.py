"""Why there is no answer. The messages are for people and say what to do."""

from __future__ import annotations

from agentapp.foundation.errors import Conflict, Invalid, Refused, Unavailable
from agentapp.llm.adapters.protocol import FailureKind

_OF_THE_QUESTION = {FailureKind.REQUEST, FailureKind.EMPTY, FailureKind.FILTERED}


class BudgetExhausted(Refused):
    """Today's budget is used up. Raise it under Costs, or wait until tomorrow."""

    code = "budget_exhausted"


class NoProvider(Unavailable):
    """No model is connected. Add one under Settings."""

    code = "no_provider"


class ProviderUnavailable(Unavailable):
    """The model gave no answer."""

    code = "provider_unavailable"

    def __init__(
        self,
        message: str | None = None,
        *,
        kind: FailureKind | None = None,
        has_begun: bool = False,
    ) -> None:
        """Say what happened.

        Args:
            message: For people.
            kind: None when the time was up.
            has_begun: Words of an answer had come; nobody else may be asked for the rest.
        """
        super().__init__(message)
        self.kind = kind
        self.has_begun = has_begun

    @property
    def may_be_asked_elsewhere(self) -> bool:
        """Whether another server could do better with the same question."""
        return not self.has_begun and self.kind not in _OF_THE_QUESTION


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
