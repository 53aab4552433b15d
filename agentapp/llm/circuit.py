"""Leaves a model server alone that fails again and again, in all processes at once.

The provider's row is the breaker: closed (asked as usual), open (not asked until a moment), half
open (one question finds out, under a lease). Every move is a conditional update by the database's
time, so of many processes one sends the question that finds out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction

from agentapp.events import services as events
from agentapp.llm.adapters.protocol import FailureKind
from agentapp.llm.errors import ProviderUnavailable
from agentapp.llm.models import Provider

Values = dict[str, float | datetime | None]
FAILURES_TO_OPEN = 5  # calls in a row, each with its own tries
OPEN_SECONDS = 20.0
GRACE_SECONDS = 5.0  # past the deadline of the question that finds out
_DOWN = {
    None,  # the time was up
    FailureKind.ADDRESS,
    FailureKind.CONNECTION,
    FailureKind.CUT,
    FailureKind.MALFORMED,
    FailureKind.SERVER,
}
_SAYS_NOTHING = {FailureKind.BUSY, FailureKind.KEY}  # of a key that we cannot open it never hears

PROBE = """
UPDATE agentapp_provider
SET circuit = 'half_open', circuit_until = greenroom_now() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND circuit <> 'closed' AND circuit_until <= greenroom_now()
RETURNING circuit, circuit_until
"""

# Of one row and nothing else: whoever waits for it decides by what the one before has written.
FAILED = """
UPDATE agentapp_provider
SET circuit_failures = least(circuit_failures + 1, 1000),
    circuit = CASE WHEN circuit = 'half_open' OR circuit_failures + 1 >= %(most)s
        THEN 'open' ELSE circuit END,
    circuit_until = CASE WHEN circuit = 'half_open' OR circuit_failures + 1 >= %(most)s
        THEN greenroom_now() + make_interval(secs => %(seconds)s) END
WHERE id = %(id)s AND (circuit = 'closed'
    OR (circuit = 'half_open' AND circuit_until = %(probe)s))
RETURNING circuit, circuit_until
"""

ANSWERED = """
UPDATE agentapp_provider SET circuit = 'closed', circuit_failures = 0, circuit_until = NULL
WHERE id = %(id)s AND (circuit = 'closed' AND circuit_failures > 0
    OR circuit = 'half_open' AND circuit_until = %(probe)s)
RETURNING circuit, circuit_until
"""

GIVEN_BACK = """
UPDATE agentapp_provider SET circuit = 'open', circuit_until = greenroom_now()
WHERE id = %(id)s AND circuit = 'half_open' AND circuit_until = %(probe)s
RETURNING circuit, circuit_until
"""


class LeftAlone(ProviderUnavailable):
    """The model server failed several times in a row. It is tried again in a few seconds."""

    def __init__(self) -> None:
        super().__init__(kind=FailureKind.SERVER)


@contextmanager
def guarded(provider: Provider, *, deadline_seconds: float) -> Iterator[None]:
    """Let a question to a server through or not, and remember how it ended.

    Writes: Provider. Announces: `provider.circuit` when the server is left alone, tried or asked
    again. A closed breaker without failures costs no statement.

    Raises:
        LeftAlone: It is not asked now; nothing was sent.
    """
    probe = _admitted(provider, deadline_seconds + GRACE_SECONDS)
    try:
        yield
    except ProviderUnavailable as failure:
        _note(provider, probe, failure)
        raise
    except BaseException:
        _move(GIVEN_BACK, provider, probe)
        raise
    _note_answer(provider, probe)


def _admitted(provider: Provider, seconds: float) -> datetime | None:
    """Return None for an ordinary question, or the lease of the one that finds out."""
    if provider.circuit == Provider.Circuit.CLOSED:
        return None
    probe = _moved(PROBE, provider, {"seconds": seconds})
    if probe is None:
        raise LeftAlone
    return probe[1]


def _note(provider: Provider, probe: datetime | None, failure: ProviderUnavailable) -> None:
    if failure.kind in _SAYS_NOTHING or (failure.kind is None and failure.has_begun):
        _move(GIVEN_BACK, provider, probe)
    elif failure.kind in _DOWN:
        values: Values = {"probe": probe, "most": FAILURES_TO_OPEN, "seconds": OPEN_SECONDS}
        _moved(FAILED, provider, values)
    else:
        _note_answer(provider, probe)


def _note_answer(provider: Provider, probe: datetime | None) -> None:
    if probe is not None or provider.circuit_failures:
        _moved(ANSWERED, provider, {"probe": probe})


def _move(statement: str, provider: Provider, probe: datetime | None) -> None:
    if probe is not None:
        _moved(statement, provider, {"probe": probe})


def _moved(
    statement: str, provider: Provider, values: Values
) -> tuple[str, datetime | None] | None:
    """Make one move; return the new state and its moment, or None when another was faster."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, {"id": provider.pk, **values})
            row: tuple[str, datetime | None] | None = cursor.fetchone()
        # Counting one failure or success more is no change of state.
        if row is not None and (row[0] != Provider.Circuit.CLOSED or values.get("probe")):
            events.record(
                type="provider.circuit",
                subject_kind="provider",
                subject_id=provider.pk,
                workspace_id=provider.workspace_id,
                payload={"state": row[0], "name": provider.name},
            )
    return row
