"""Suspending and lifting."""

from __future__ import annotations

import time
from datetime import datetime

from django.db import transaction

from agentapp.drafts.publication.claiming import LEASE_SECONDS, agents_in_flight
from agentapp.drafts.services import block_open
from agentapp.events.services import record
from agentapp.feedback.services import reward
from agentapp.foundation import clock, faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, Invalid, NotFound
from agentapp.foundation.text import one_line
from agentapp.identity.models import Agent, User
from agentapp.moderation.models import ModerationAction
from agentapp.moderation.queries import active_suspension
from agentapp.notifications.services import notify
from agentapp.presence import services as presence
from agentapp.safety.services import clear_agent_stop, raise_agent_stop

REWARD_SUSPENDED = -2.0
DRAIN_POLL_SECONDS = 0.02


def suspend(
    *, agent_id: int, by: User | None, until: datetime | None = None, reason: str = ""
) -> ModerationAction:
    """Stop an agent: when this returns, nothing of it begins to leave any more.

    Commits the stop first: flag and epoch, its rooms inactive, everything unsent held back. Then
    waits for what is on the wire at this moment, at most one lease. Bytes of a process that was
    stopped between its last check and its write are not covered.

    Args:
        until: When it ends by itself; None is open-ended.

    Raises:
        NotFound: No such agent.
        Conflict: It is suspended already.
        Invalid: `until` lies in the past.
    """
    action = _commit_stop(agent_id=agent_id, by=by, until=until, reason=one_line(reason, limit=400))
    faults.passing("stop.committed")
    _drain(agent_id)
    return action


def lift(*, agent_id: int, by: User | None) -> ModerationAction:
    """End a suspension: the agent returns to its rooms. What was held back stays so.

    Raises:
        Conflict: It is not suspended.
    """
    with transaction.atomic():
        action = (
            ModerationAction.objects.select_for_update(of=("self",))
            .select_related("agent")
            .filter(
                agent_id=agent_id,
                kind=ModerationAction.Kind.SUSPEND,
                state=ModerationAction.State.ACTIVE,
            )
            .first()
        )
        if action is None:
            raise Conflict("This agent is not suspended.")
        _end(action, state=ModerationAction.State.LIFTED, by=by)
        faults.passing("lift.written")
    return action


@transaction.atomic
def expire_due() -> int:
    """Write the end of timed suspensions that have run out. Returns how many.

    The end itself is a comparison at every check; this makes it visible.
    """
    due = list(
        ModerationAction.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("agent")
        .filter(
            kind=ModerationAction.Kind.SUSPEND,
            state=ModerationAction.State.ACTIVE,
            until__lte=GreenroomNow(),
        )
        .order_by("pk")[:100]
    )
    for action in due:
        _end(action, state=ModerationAction.State.EXPIRED, by=None)
        faults.passing("stop.ended")
    return len(due)


@transaction.atomic
def _commit_stop(
    *, agent_id: int, by: User | None, until: datetime | None, reason: str
) -> ModerationAction:
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    if until is not None and until <= clock.now():
        raise Invalid("Choose an end in the future, or none.")
    # The flag's lock comes first, as in a claim; it also serialises two suspensions.
    state = raise_agent_stop(
        agent_id=agent.pk, workspace_id=agent.workspace_id, until=until, reason=reason
    )
    if active_suspension(agent.pk) is not None:
        raise Conflict("This agent is suspended already.")
    action = ModerationAction.objects.create(
        workspace_id=agent.workspace_id, agent=agent, by=by, until=until, reason=reason
    )
    held_back = block_open(agent_id=agent.pk, reason="The agent was suspended.")
    presence.make_inactive(agent_id=agent.pk, by=by)
    reward(
        agent_id=agent.pk,
        workspace_id=agent.workspace_id,
        target_kind="moderation",
        target_id=action.pk,
        source="suspension",
        value=REWARD_SUSPENDED,
        note=reason,
    )
    _record("agent.suspended", action, by, epoch=state.epoch, held_back=held_back)
    faults.passing("stop.written")
    _tell_owner(agent, by, f"{agent.name} was suspended. {reason}".strip())
    return action


def _drain(agent_id: int) -> None:
    """Wait until no piece of the agent has a live lease; leases end by themselves."""
    give_up = time.monotonic() + LEASE_SECONDS + 1
    while agents_in_flight(agent_id) and time.monotonic() < give_up:
        time.sleep(DRAIN_POLL_SECONDS)


def _end(action: ModerationAction, *, state: ModerationAction.State, by: User | None) -> None:
    clear_agent_stop(agent_id=action.agent_id)
    action.state = state
    action.ended_at = clock.now()
    action.ended_by = by
    action.save(update_fields=["state", "ended_at", "ended_by"])
    presence.restore(agent_id=action.agent_id, by=by)
    _record("agent.lifted", action, by, how=str(state))
    _tell_owner(action.agent, by, f"{action.agent.name} is no longer suspended.")


def _record(type_: str, action: ModerationAction, by: User | None, **payload: object) -> None:
    record(
        type=type_,
        subject_kind="agent",
        subject_id=action.agent_id,
        workspace_id=action.workspace_id,
        agent_id=action.agent_id,
        actor_id=by.pk if by else None,
        payload={"action": action.pk, "reason": action.reason, **payload},
    )


def _tell_owner(agent: Agent, by: User | None, text: str) -> None:
    if by is not None and by.pk == agent.owner_id:
        return
    notify(
        user_id=agent.owner_id,
        workspace_id=agent.workspace_id,
        kind=f"agent.moderated.{clock.now():%Y%m%d%H%M%S}",
        subject_kind="agent",
        subject_id=agent.pk,
        text=text,
    )
