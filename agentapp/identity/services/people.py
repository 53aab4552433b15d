"""Handles in rooms and the people behind them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import planned, prepared
from agentapp.foundation.text import one_line
from agentapp.identity import policy
from agentapp.identity.models import Agent, Identity, Person, User, Workspace

LOCAL = "local"  # the platform of the built-in web rooms

# A handle is the same human in every workspace, and one human may have several handles.
SAME_PEOPLE = """
WITH RECURSIVE same(person_id) AS (
    SELECT %s::bigint
    UNION
    SELECT other.person_id
    FROM same
    JOIN agentapp_identity mine ON mine.person_id = same.person_id
    JOIN agentapp_identity other
        ON other.platform = mine.platform AND other.external_id = mine.external_id
    WHERE other.person_id IS NOT NULL AND other.kind = 'human' AND mine.kind = 'human'
)
SELECT person_id FROM same
"""


def user_handle(user: User) -> str:
    """Return the external id of a user in web rooms."""
    return f"user:{user.pk}"


def agent_handle(agent: Agent) -> str:
    """Return the external id of an agent in web rooms; its local login bears the same."""
    return f"agent:{agent.pk}"


@prepared
def handles(workspace_id: int, platform: str, external_id: str) -> QuerySet[Identity]:
    """Return the one handle of that name, if it was ever seen; one query."""
    return Identity.objects.filter(
        workspace_id=workspace_id, platform=platform, external_id=external_id
    )


@transaction.atomic(savepoint=False)
def ensure_identity(
    *,
    workspace: Workspace,
    platform: str,
    external_id: str,
    name: str,
    kind: str = Identity.Kind.HUMAN,
    user: User | None = None,
) -> Identity:
    """Return the handle, made at first sight; a human's handle gets a Person behind it.

    A handle that already exists keeps its kind and takes the new name. Two callers at once get
    the same row. Writes: Identity, Person. Announces: `identity.seen` when the row is new.
    """
    shown = one_line(name) or one_line(external_id) or "nameless"
    known = handles.first(workspace_id=workspace.pk, platform=platform, external_id=external_id)
    if known is not None:
        return _renamed(known, shown)
    identity, is_new = Identity.objects.get_or_create(
        workspace=workspace,
        platform=platform,
        external_id=external_id,
        defaults={"kind": kind, "name": shown, "user": user},
    )
    if not is_new:
        return identity
    if kind == Identity.Kind.HUMAN:
        give_person(identity, timezone=user.timezone if user else "")
    events.record(
        type="identity.seen",
        subject_kind="identity",
        subject_id=identity.pk,
        workspace_id=workspace.pk,
        payload={"kind": kind, "platform": platform},
    )
    return identity


def give_person(identity: Identity, *, timezone: str = "") -> None:
    """Put a new person behind a handle. Who is left alone elsewhere under it is so here too."""
    stopped = Identity.objects.filter(
        platform=identity.platform,
        external_id=identity.external_id,
        person__stopped_at__isnull=False,
    )
    identity.person = Person.objects.create(
        workspace_id=identity.workspace_id,
        name=identity.name,
        timezone=timezone,
        stopped_at=stopped.values_list("person__stopped_at", flat=True).first(),
    )
    identity.save(update_fields=["person"])


@transaction.atomic
def set_stopped(*, person: Person, on: bool) -> list[int]:
    """Have all agents of this host leave somebody alone from now on, or not any more.

    It reaches every workspace in which one of that person's handles is known, and those in which
    one will be. Writes: Person, Event `person.stopped` or `person.started` for each.

    Returns:
        The people whom that changed.
    """
    with planned() as cursor:
        cursor.execute(SAME_PEOPLE, [person.pk])
        same = [pk for (pk,) in cursor.fetchall()]
    rows = list(
        Person.objects.select_for_update(no_key=True)
        .filter(pk__in=same, stopped_at__isnull=on)
        .order_by("pk")
    )
    changed = [row.pk for row in rows]
    Person.objects.filter(pk__in=changed).update(stopped_at=GreenroomNow() if on else None)
    events.record_many(
        events.made(
            type="person.stopped" if on else "person.started",
            subject_kind="person",
            subject_id=row.pk,
            workspace_id=row.workspace_id,
        )
        for row in rows
    )
    return changed


def ensure_local_identity(*, user: User, workspace: Workspace) -> Identity:
    """Return the handle under which a user chats in the web rooms of a workspace."""
    return ensure_local_identities([(user, workspace)])[0]


def ensure_local_identities(chatters: Sequence[tuple[User, Workspace]]) -> list[Identity]:
    """Return the handles under which users chat in the web rooms of workspaces.

    One query where all are known and called as before; else as `ensure_identity`.
    """
    found = handles.first_of_each(
        [
            {"workspace_id": space.pk, "platform": LOCAL, "external_id": user_handle(user)}
            for user, space in chatters
        ]
    )
    return [
        known
        if known is not None and known.name == one_line(str(user))
        else ensure_identity(
            workspace=space,
            platform=LOCAL,
            external_id=user_handle(user),
            name=str(user),
            user=user,
        )
        for (user, space), known in zip(chatters, found, strict=True)
    ]


@transaction.atomic
def set_is_bot(*, identity: Identity, is_bot: bool, by: User) -> bool:
    """Count a handle as a bot from now on, or as a human's again, whatever its platform says.

    Writes: Identity, Event `identity.kind_set`.

    Returns:
        Whether that changed anything. Handles of our agents and of the demo never change.

    Raises:
        NotFound, Refused: `by` runs no agents in its workspace.
    """
    policy.require(by, policy.Verb.MANAGE, identity)
    was, becomes = Identity.Kind.HUMAN, Identity.Kind.BOT
    if not is_bot:
        was, becomes = becomes, was
    if not Identity.objects.filter(pk=identity.pk, kind=was).update(kind=becomes):
        return False
    events.record(
        type="identity.kind_set",
        subject_kind="identity",
        subject_id=identity.pk,
        workspace_id=identity.workspace_id,
        actor_id=by.pk,
        payload={"kind": str(becomes)},
    )
    return True


def _renamed(identity: Identity, name: str) -> Identity:
    if identity.name != name and identity.kind != Identity.Kind.AGENT:
        Identity.objects.filter(pk=identity.pk).update(name=name)
        Person.objects.filter(identities=identity).update(name=name)
        identity.name = name
    return identity
