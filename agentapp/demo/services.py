"""Starting, watching, stopping and removing a demo."""

from __future__ import annotations

import logging

from django.db import IntegrityError, OperationalError, transaction

from agentapp.demo import queries, rules, script
from agentapp.demo.models import DemoRun
from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict
from agentapp.identity.models import Agent, Identity, Participant, Person, Room, User, Workspace
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.people import LOCAL, ensure_identity
from agentapp.identity.services.rooms import create_room
from agentapp.identity.services.tenancy import create_workspace
from agentapp.llm.models import Provider
from agentapp.presence.services import add_agent
from agentapp.safety.models import SafetyState

logger = logging.getLogger(__name__)

WORKSPACE_NAME = "Demo"
ROOM_LIMITS = {"room_turns_10min": 90, "person_turns_10min": 30}
# Work in flight may hold rows or add new ones; each attempt starts from what is there then.
REMOVE_ATTEMPTS = 5


@transaction.atomic
def start(*, user: User) -> DemoRun:
    """Give a user a demo of their own; where there is one already, return it.

    Writes: Workspace (demo), Seats, Provider (rehearsal), Room, three Agents with Memberships,
    scripted Identities, DemoRun. Announces: `demo.started`.
    """
    # Two first logins at once queue here instead of making two demos.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    known = queries.get_run(user=user)
    if known is not None:
        return known
    workspace = create_workspace(user=user, name=WORKSPACE_NAME, is_demo=True)
    _give_rehearsal(workspace)
    room = create_room(
        workspace=workspace, name=script.ROOM_NAME, visibility=Room.Visibility.PUBLIC, by=user
    )
    # The script takes most of a room's usual share of answers; whoever looks on gets theirs too.
    Room.objects.filter(pk=room.pk).update(limits=ROOM_LIMITS)
    _seat_members(workspace, room)
    for resident in script.AGENTS:
        _move_in(resident, workspace=workspace, room=room, user=user)
    now = clock.now()
    run = DemoRun.objects.create(
        user=user,
        workspace=workspace,
        room=room,
        watched_at=now,
        next_line_at=now,
        ends_at=now + rules.LONGEST_WATCH,
    )
    _record("demo.started", run, by=user)
    return run


def start_at_login(*, user: User) -> DemoRun | None:
    """Start the demo unless this user once removed it; then return None."""
    return None if queries.was_removed(user=user) else start(user=user)


def watch(*, user: User) -> bool:
    """Note that somebody looks at the demo now; it goes on only while somebody does.

    Returns:
        Whether there is a demo that can still go on. Calling this often writes rarely.
    """
    run = DemoRun.objects.filter(user=user, stopped_at__isnull=True).first()
    if run is None:
        return False
    now = clock.now()
    if run.watched_at is None or now - run.watched_at >= rules.HEARTBEAT_EVERY:
        # Two pages at once: the one that comes second finds `watched_at` moved and writes nothing.
        DemoRun.objects.filter(pk=run.pk, watched_at=run.watched_at).update(
            watched_at=now,
            ends_at=rules.prolonged_end(run.ends_at, watched_at=run.watched_at, now=now),
        )
    return True


@transaction.atomic
def stop(*, run_id: int, reason: str) -> bool:
    """End the script; the room stays and its agents go on answering. False if it had ended."""
    stopped = DemoRun.objects.filter(pk=run_id, stopped_at__isnull=True).update(
        stopped_at=clock.now(), stop_reason=reason
    )
    if stopped:
        _record("demo.stopped", DemoRun.objects.get(pk=run_id), payload={"reason": reason})
    return bool(stopped)


def remove(*, user: User) -> bool:
    """Delete a user's demo with everything in it. False if there was none.

    Announces: `demo.removed`. Turns and sends under way find their rows gone and end there.

    Raises:
        Conflict: Work in flight kept interfering. Nothing was deleted.
    """
    for attempt in range(REMOVE_ATTEMPTS):
        try:
            return _remove(user)
        except (IntegrityError, OperationalError) as error:
            # A row came in between reading and deleting, or a deadlock was broken at our cost.
            logger.info("removing a demo, attempt %s: %s", attempt + 1, type(error).__name__)
    raise Conflict("The demo is busy just now. Press Remove demo once more.")


@transaction.atomic
def _remove(user: User) -> bool:
    run = DemoRun.objects.select_for_update().filter(user=user).first()
    if run is None:
        return False
    workspace = _locked_against_new_rows(run.workspace_id)
    _record("demo.removed", run, by=user)
    Agent.objects.filter(workspace=workspace).delete()  # before the versions they pin
    workspace.delete()
    return True


def _locked_against_new_rows(workspace_id: int) -> Workspace:
    """Lock what new rows refer to: they wait, and then fail instead of staying behind.

    Stop flags come first, as in a claim, and rooms before agents, as in intake.
    """
    for rows in (
        SafetyState.objects.filter(workspace_id=workspace_id),
        Room.objects.filter(workspace_id=workspace_id),
        Agent.objects.filter(workspace_id=workspace_id),
    ):
        list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Workspace.objects.select_for_update().get(pk=workspace_id)


def _give_rehearsal(workspace: Workspace) -> None:
    now = clock.now()
    Provider.objects.create(
        workspace=workspace,
        kind=Provider.Kind.REHEARSAL,
        name="Rehearsal",
        reply_model="rehearsal",
        cheap_model="rehearsal",
        is_default=True,
        verified_at=now,
    )


def _seat_members(workspace: Workspace, room: Room) -> None:
    for code, name in script.MEMBERS.items():
        identity = ensure_identity(
            workspace=workspace,
            platform=LOCAL,
            external_id=member_handle(code),
            name=name,
            kind=Identity.Kind.SCRIPTED,
        )
        identity.person = Person.objects.create(workspace=workspace, name=name)
        identity.save(update_fields=["person"])
        Participant.objects.create(room=room, identity=identity)


def member_handle(code: str) -> str:
    """Return the external id of a scripted member."""
    return f"scripted:{code}"


def _move_in(resident: script.Resident, *, workspace: Workspace, room: Room, user: User) -> None:
    template = resident.template
    agent = create_agent(
        owner=user,
        workspace=workspace,
        name=template.name,
        spec=template.spec,
        template=template.code,
    )
    if resident.waits:
        rules_ = dict.fromkeys(("message", "post", "comment"), "owner")
        Agent.objects.filter(pk=agent.pk).update(approval_rules=rules_)
    add_agent(room_id=room.pk, agent_id=agent.pk, by=user)


def _record(
    type_: str, run: DemoRun, *, by: User | None = None, payload: dict[str, object] | None = None
) -> None:
    events.record(
        type=type_,
        subject_kind="demo",
        subject_id=run.pk,
        workspace_id=run.workspace_id,
        room_id=run.room_id,
        actor_id=by.pk if by else None,
        payload=payload,
    )
