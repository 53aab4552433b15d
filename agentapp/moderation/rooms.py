"""What somebody who looks after a room on its platform orders there: mute, remove, delete.

They need no login here. The agent's owner is told and cannot end it from here.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from agentapp.drafts.models import Draft
from agentapp.drafts.services import retract
from agentapp.events.models import Event
from agentapp.events.services import record
from agentapp.feedback.services import reward
from agentapp.foundation import clock
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict
from agentapp.foundation.secrets import digest
from agentapp.identity.models import Identity, Workspace
from agentapp.identity.services.people import ensure_identity
from agentapp.moderation.models import ModerationAction
from agentapp.moderation.orders import (
    DIGEST,
    Order,
    hours_in_words,
    say,
    say_for_all,
    tell_owner,
)
from agentapp.presence import services as presence
from agentapp.presence.models import Membership

REWARD_REMOVED = -1.0
ORDER = "order"  # subject of the events about what was ordered in a room
BATCH = 100  # mutes whose end is written at once

Kind, State = ModerationAction.Kind, ModerationAction.State


def obey(order: Order) -> bool:
    """Carry out an order, once however often it comes. Returns whether it changed something.

    The platform was asked whether `order.by` may give it. Writes: ModerationAction, Membership,
    Draft (one line that says so), Feedback, Notification for the owner, Event
    `moderation.<act>`. Asks no model.
    """
    with transaction.atomic():
        membership = (
            Membership.objects.select_for_update(of=("self",))
            .select_related("agent", "room")
            .filter(
                agent_id=order.agent_id,
                room__workspace_id=order.workspace_id,
                room__platform=order.platform,
                room__external_id=order.room_external_id,
                left_at__isnull=True,
            )
            .exclude(state=Membership.State.INVITED)
            .first()
        )
        key = f"{order.platform}:{order.external_id}:{order.agent_id}"
        if membership is None or _was_obeyed(key):
            return False
        return _ACTS[order.act](order, membership, key)


def _was_obeyed(key: str) -> bool:
    return Event.objects.filter(subject_kind=ORDER, subject_id=digest(key)[:DIGEST]).exists()


@transaction.atomic
def expire_due() -> int:
    """Let agents talk again whose mute has run out. Returns how many."""
    due = list(
        ModerationAction.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("agent", "room")
        .filter(kind=Kind.MUTE, state=State.ACTIVE, until__lte=GreenroomNow())
        .order_by("pk")[:BATCH]
    )
    for action in due:
        _end_mute(action, State.EXPIRED)
        _record("moderation.unmuted", action, "", how="expired")
    return len(due)


def _mute(order: Order, membership: Membership, key: str) -> bool:
    now = clock.now()
    until = min(order.at or now, now) + timedelta(hours=order.hours) if order.hours else None
    if until is not None and until <= now:
        return False  # it was over before it could be read
    current = _active_mute(membership)
    if current is not None:
        _close(current, State.LIFTED)
    action = _write(order, membership, key, Kind.MUTE)
    action.until = until
    action.save(update_fields=["until"])
    _set_voice(membership, may_talk=False)
    how_long = f"for {hours_in_words(order.hours)}" if order.hours else "until somebody lifts it"
    if order.is_for_all:
        text = f"All agents here are muted {how_long}. `!unmute all` ends it."
        say_for_all(order, membership, text)
    else:
        say(membership, key, f"I am muted here {how_long}. `!unmute` ends it.")
    _tell_owner(action, membership, f"muted {membership.agent.name} in {{}} {how_long}.")
    _record("moderation.muted", action, key, hours=order.hours)
    return True


def _unmute(order: Order, membership: Membership, key: str) -> bool:
    action = _active_mute(membership)
    if action is None:
        return False
    _end_mute(action, State.LIFTED)
    if order.is_for_all:
        say_for_all(order, membership, "We may talk here again.")
    else:
        say(membership, key, "I may talk here again.")
    _tell_owner(action, membership, f"let {membership.agent.name} talk in {{}} again.")
    _record("moderation.unmuted", action, key, how="lifted")
    return True


def _remove(order: Order, membership: Membership, key: str) -> bool:
    action = _write(order, membership, key, Kind.REMOVE)
    try:
        presence.remove_agent(
            room_id=membership.room_id, agent_id=membership.agent_id, by=None, removed=True
        )
    except Conflict:
        return False
    reward(
        agent_id=action.agent_id,
        workspace_id=action.workspace_id,
        target_kind="moderation",
        target_id=action.pk,
        source="removal",
        value=REWARD_REMOVED,
    )
    _tell_owner(action, membership, f"removed {membership.agent.name} from {{}}.")
    _record("moderation.removed", action, key)
    return True


def _delete(order: Order, membership: Membership, key: str) -> bool:
    """Take back what the agent said last here; the platform removes it like any retraction."""
    said = Draft.objects.filter(
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        status=Draft.Status.PUBLISHED,
        kind__in=[Draft.Kind.MESSAGE, Draft.Kind.COMMENT, Draft.Kind.POST],
    )
    found = list(said.order_by("-published_at", "-pk").values_list("pk", flat=True)[: order.count])
    if not found:
        return False
    for draft_id in found:
        retract(draft_id=draft_id, by=None)
    what = "its last message" if len(found) == 1 else f"its last {len(found)} messages"
    handle = _handle(order)
    tell_owner(
        membership,
        by=handle,
        about=f"deleted.{found[0]}.{len(found)}",
        text=f"took back {what}: {membership.agent.name} in {{}}.",
    )
    record(
        type="moderation.deleted",
        subject_kind=ORDER,
        subject_id=digest(key)[:DIGEST],
        workspace_id=membership.workspace_id,
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        payload={"by_handle": handle.pk, "drafts": found},
    )
    return True


_ACTS = {"mute": _mute, "unmute": _unmute, "remove": _remove, "delete": _delete}


def _write(order: Order, membership: Membership, key: str, kind: str) -> ModerationAction:
    return ModerationAction.objects.create(
        workspace_id=membership.workspace_id,
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        kind=kind,
        by_handle=_handle(order),
        key=key,
    )


def _handle(order: Order) -> Identity:
    return ensure_identity(
        workspace=Workspace.objects.get(pk=order.workspace_id),
        platform=order.platform,
        external_id=order.by.external_id,
        name=order.by.name,
    )


def _active_mute(membership: Membership) -> ModerationAction | None:
    return (
        ModerationAction.objects.select_for_update()
        .filter(
            agent_id=membership.agent_id,
            room_id=membership.room_id,
            kind=Kind.MUTE,
            state=State.ACTIVE,
        )
        .first()
    )


def _end_mute(action: ModerationAction, state: ModerationAction.State) -> None:
    _close(action, state)
    here = Membership.objects.select_for_update().filter(
        agent=action.agent, room=action.room, left_at__isnull=True
    )
    for membership in here:
        _set_voice(membership, may_talk=True)


def _close(action: ModerationAction, state: ModerationAction.State) -> None:
    action.state, action.ended_at = state, clock.now()
    action.save(update_fields=["state", "ended_at"])


def _set_voice(membership: Membership, *, may_talk: bool) -> None:
    """Change what a locked membership is, or what it will be after a suspension."""
    states = Membership.State
    was, becomes = (states.MUTED, states.ACTIVE) if may_talk else (states.ACTIVE, states.MUTED)
    membership.is_held = not may_talk
    if membership.state == states.INACTIVE:
        membership.prior_state = becomes
    elif membership.state == was:
        membership.state = becomes
    membership.save(update_fields=["state", "prior_state", "is_held"])


def _tell_owner(action: ModerationAction, membership: Membership, text: str) -> None:
    about = f"{action.pk}.{action.state}"
    tell_owner(membership, by=action.by_handle, about=about, text=text)


def _record(type_: str, action: ModerationAction, key: str, **payload: object) -> None:
    """Write what was done. Its subject is the order, so that none is obeyed twice."""
    record(
        type=type_,
        subject_kind=ORDER if key else "agent",
        subject_id=digest(key)[:DIGEST] if key else action.agent_id,
        workspace_id=action.workspace_id,
        agent_id=action.agent_id,
        room_id=action.room_id,
        payload={"action": action.pk, "by_handle": action.by_handle_id, **payload},
    )
