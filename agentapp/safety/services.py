"""Raising and lowering stop flags. Draining and memberships are moderation's work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from agentapp.events.services import record
from agentapp.foundation.errors import Invalid
from agentapp.identity.models import User
from agentapp.safety.models import SafetyState
from agentapp.safety.queries import covering


def ensure_states(agents: Iterable[tuple[int, int]]) -> None:
    """Make the rows that a claim locks, for (agent id, workspace id) pairs, where missing.

    A stop can only exclude a concurrent claim through a row that both of them lock.
    """
    pairs = list(agents)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agentapp_safetystate"
            " (scope, is_stopped, restricted, epoch, reason)"
            " VALUES ('host', false, '[]', 0, '') ON CONFLICT DO NOTHING"
        )
        cursor.execute(
            "INSERT INTO agentapp_safetystate"
            " (scope, workspace_id, is_stopped, restricted, epoch, reason)"
            " SELECT 'workspace', unnest(%s::bigint[]), false, '[]', 0, ''"
            " ON CONFLICT DO NOTHING",
            [sorted({workspace for _, workspace in pairs})],
        )
        cursor.execute(
            "INSERT INTO agentapp_safetystate"
            " (scope, agent_id, workspace_id, is_stopped, restricted, epoch, reason)"
            " SELECT 'agent', a, w, false, '[]', 0, ''"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS pair(a, w) ON CONFLICT DO NOTHING",
            [[agent for agent, _ in pairs], [workspace for _, workspace in pairs]],
        )


def lock_states(agents: Iterable[tuple[int, int]]) -> list[SafetyState]:
    """Lock FOR SHARE every flag that concerns these agents, in a fixed order.

    Call inside a transaction: until it ends no stop of these agents can commit.
    """
    pairs = sorted(set(agents))
    expected = 1 + len({workspace for _, workspace in pairs}) + len(pairs)
    for _ in range(2):
        ids = [state.pk for state in covering(pairs)]
        if len(ids) >= expected:
            break
        ensure_states(pairs)
    # Django has no FOR SHARE.
    return list(
        SafetyState.objects.raw(
            "SELECT * FROM agentapp_safetystate WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [ids],
        )
    )


@transaction.atomic
def stop(
    *, scope: str, by: User | None, reason: str = "", workspace_id: int | None = None
) -> SafetyState:
    """Stop a whole workspace or the whole host, until released.

    Nothing is lost: approved drafts go back to waiting when their turn comes.

    Raises:
        Invalid: Another scope than host or workspace.
    """
    return _switch(scope=scope, on=True, by=by, reason=reason, workspace_id=workspace_id)


@transaction.atomic
def release(*, scope: str, by: User | None, workspace_id: int | None = None) -> SafetyState:
    """End a stop of a workspace or the host."""
    return _switch(scope=scope, on=False, by=by, reason="", workspace_id=workspace_id)


def _switch(
    *, scope: str, on: bool, by: User | None, reason: str, workspace_id: int | None
) -> SafetyState:
    if scope not in {"host", "workspace"} or (scope == "workspace") == (workspace_id is None):
        raise Invalid("Stop either one workspace or the host.")
    SafetyState.objects.bulk_create(
        [SafetyState(scope=scope, workspace_id=workspace_id)], ignore_conflicts=True
    )
    where = Q(scope="host") if workspace_id is None else Q(scope=scope, workspace_id=workspace_id)
    state = SafetyState.objects.select_for_update(no_key=True).get(where)
    if state.is_stopped != on:
        state.is_stopped = on
        state.reason = reason
        state.epoch += 1
        state.save(update_fields=["is_stopped", "reason", "epoch"])
        record(
            type="safety.stopped" if on else "safety.released",
            subject_kind="safety",
            subject_id=state.pk,
            workspace_id=workspace_id,
            actor_id=by.pk if by else None,
            payload={"scope": scope, "reason": reason},
        )
    return state


def raise_agent_stop(
    *, agent_id: int, workspace_id: int, until: datetime | None, reason: str
) -> SafetyState:
    """Set an agent's stop flag and raise its epoch, inside the caller's transaction."""
    ensure_states([(agent_id, workspace_id)])
    state = SafetyState.objects.select_for_update(no_key=True).get(agent_id=agent_id)
    state.is_stopped = True
    state.suspended_until = until
    state.reason = reason
    state.epoch += 1
    state.save(update_fields=["is_stopped", "suspended_until", "reason", "epoch"])
    return state


def clear_agent_stop(*, agent_id: int) -> None:
    """Lower an agent's stop flag inside the caller's transaction; the epoch stays."""
    SafetyState.objects.filter(agent_id=agent_id).update(
        is_stopped=False, suspended_until=None, reason=""
    )
