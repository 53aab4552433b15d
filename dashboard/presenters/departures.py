"""Servers that people left, as owners of agents that are there may know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentapp.identity.models import Person, User
from agentapp.privacy import queries


@dataclass(frozen=True, slots=True)
class LeftShown:
    """A server that somebody left."""

    where: str
    at: datetime


def left_by(user: User, people: Sequence[Person]) -> Mapping[int, list[LeftShown]]:
    """Return by person what each of them left, the latest first; one query."""
    found: dict[int, list[LeftShown]] = defaultdict(list)
    rows = queries.departures(user).filter(identity__person__in=people).order_by("-left_at")
    for person_id, where, at in rows.values_list("identity__person_id", "group_name", "left_at"):
        if at is not None:
            found[person_id].append(LeftShown(where or "a server", at))
    return found
