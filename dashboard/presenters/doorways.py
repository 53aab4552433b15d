"""Servers that a login is in, and the channels there that nobody let it into."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from agentapp.identity.models import Account
from agentapp.presence.doorways import doorways_of


@dataclass(frozen=True, slots=True)
class DoorwayShown:
    """A channel that a login could be let into."""

    id: int
    name: str
    mark: str
    hindrance: str


@dataclass(frozen=True, slots=True)
class GroupShown:
    """A server, with the channels that are left to pick."""

    id: str
    name: str
    is_left: bool
    picked: int
    doorways: list[DoorwayShown] = field(default_factory=list)


def show_groups(accounts: Sequence[Account]) -> dict[uuid.UUID, list[GroupShown]]:
    """Return the servers of logins; one query for any number."""
    found: dict[uuid.UUID, list[GroupShown]] = {account.pk: [] for account in accounts}
    rows = doorways_of(accounts)
    for (account_id, group_id), some in groupby(rows, lambda row: (row.account_id, row.group_id)):
        doors = list(some)
        left = [
            DoorwayShown(row.pk, row.name, "hash" if row.is_public else "door", row.hindrance)
            for row in doors
            if not row.is_inside  # type: ignore[attr-defined]
        ]
        found[account_id].append(
            GroupShown(
                id=group_id,
                name=doors[0].group_name,
                is_left=doors[0].is_group_left,
                picked=len(doors) - len(left),
                doorways=left,
            )
        )
    return found
