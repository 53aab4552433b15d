"""Rooms that a platform shows a login and in which nobody has let it talk.

Where a bot is in a whole server at once, being shown a room is no reason to be in it: it reads
and says nothing there until its owner picks the room.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.foundation.text import one_line
from agentapp.identity import policy
from agentapp.identity.models import Account, User
from agentapp.identity.policy import Verb
from agentapp.notifications.services import notify
from agentapp.presence.models import Doorway, Membership

MOST = 1_000  # rooms of one server that are listed
MAX_NAME = 120  # characters


@dataclass(frozen=True, slots=True)
class Door:
    """A room as its platform shows it.

    Attributes:
        hindrance: What the login lacks to talk there, in words; "" for nothing.
    """

    external_id: str
    name: str
    is_public: bool = False
    hindrance: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A server, with the rooms that a login sees in it, in their order."""

    external_id: str
    name: str
    doors: tuple[Door, ...] = ()


@transaction.atomic
def show_group(*, account_id: uuid.UUID, fence: int, group: Group) -> bool:
    """Write down which rooms of a server a login sees; those it no longer sees are dropped.

    Writes: Doorway; for a server that is new, a Notification for the owner and Event
    `account.group_entered`. Returns False, having written nothing, under a fence that is gone.
    """
    account = _held(account_id, fence)
    if account is None:
        return False
    mine = Doorway.objects.filter(account=account, group_id=group.external_id)
    known = mine.exists()
    is_left = mine.filter(is_group_left=True).exists()
    rows = [
        Doorway(
            account=account,
            external_id=door.external_id,
            name=one_line(door.name, limit=MAX_NAME),
            group_id=group.external_id,
            group_name=one_line(group.name, limit=MAX_NAME),
            position=position,
            is_public=door.is_public,
            hindrance=door.hindrance,
            is_group_left=is_left,
        )
        for position, door in enumerate(group.doors[:MOST])
    ]
    mine.exclude(external_id__in=[row.external_id for row in rows]).delete()
    Doorway.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "external_id"],
        update_fields=["name", "group_id", "group_name", "position", "is_public", "hindrance"],
    )
    if rows and not known:
        _tell_owner(account, group)
    return True


@transaction.atomic
def show_groups(*, account_id: uuid.UUID, fence: int, kept: Collection[str]) -> list[str]:
    """Forget the servers that a login is no longer in; return the rooms that went with them."""
    account = _held(account_id, fence)
    if account is None:
        return []
    gone = Doorway.objects.filter(account=account).exclude(group_id__in=list(kept))
    rooms = list(gone.values_list("external_id", flat=True))
    gone.delete()
    return rooms


def doorways_of(accounts: Sequence[Account]) -> QuerySet[Doorway]:
    """Return what logins are shown, by server and position, with `is_inside`; one query."""
    inside = Membership.objects.filter(
        account=OuterRef("account"),
        room__external_id=OuterRef("external_id"),
        left_at__isnull=True,
    )
    return (
        Doorway.objects.filter(account__in=accounts)
        .annotate(is_inside=Exists(inside))
        .order_by("account_id", "group_name", "group_id", "position", "pk")
    )


@transaction.atomic
def leave_group(*, account_id: uuid.UUID, group_id: str, by: User) -> str:
    """Have a login leave a server; its process carries it out. Returns the server's name.

    Writes: Doorway, Event `account.group_left`.

    Raises:
        NotFound, Refused: The user may not manage the login, or it is in no such server.
    """
    account = Account.objects.select_related("agent").filter(pk=account_id).first()
    if account is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, account.agent)
    if account.state != Account.State.ON:
        raise Conflict("This login is no longer there.")
    rows = Doorway.objects.filter(account=account, group_id=group_id)
    name = rows.values_list("group_name", flat=True).first()
    if name is None:
        raise NotFound
    rows.update(is_group_left=True)
    _record("account.group_left", account, name, by)
    return name


def groups_to_leave(*, accounts: Collection[uuid.UUID]) -> list[tuple[uuid.UUID, str]]:
    """Return the servers that these logins are to leave; one query."""
    return list(
        Doorway.objects.filter(account_id__in=list(accounts), is_group_left=True)
        .values_list("account_id", "group_id")
        .distinct()
        .order_by("account_id", "group_id")
    )


def _held(account_id: uuid.UUID, fence: int) -> Account | None:
    return (
        Account.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent")
        .filter(pk=account_id, fence=fence, lease_until__gt=GreenroomNow())
        .first()
    )


def _tell_owner(account: Account, group: Group) -> None:
    name = one_line(group.name, limit=MAX_NAME)
    _record("account.group_entered", account, name, None)
    notify(
        user_id=account.agent.owner_id,
        workspace_id=account.workspace_id,
        kind=f"login.group.{account.pk.hex[:8]}.{group.external_id}"[:40],
        subject_kind="agent",
        subject_id=account.agent_id,
        text=f"{account.agent.name} is in {name} now and silent there. Choose under Platforms in "
        "which of its channels it may talk, or have it leave.",
    )


def _record(type_: str, account: Account, name: str, by: User | None) -> None:
    events.record(
        type=type_,
        subject_kind="account",
        subject_id=account.pk,
        workspace_id=account.workspace_id,
        agent_id=account.agent_id,
        actor_id=by.pk if by else None,
        payload={"group": name},
    )
