"""Who is really mentioned by a text: what the sender allows, not what stands in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.discord.model import Channel, Message, User
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import invalid

_PERSON = re.compile(r"<@!?(\d+)>")
_EVERYBODY = re.compile(r"@(?:everyone|here)\b")


@dataclass(frozen=True)
class Rung:
    """Whom a message reaches."""

    people: list[User]
    everybody: bool


def rung(
    text: str,
    author: User,
    place: Channel,
    allowed: Mapping[str, Any] | None,
    answered: Message | None,
) -> Rung:
    """Return whom this text mentions, with `allowed_mentions` as the sender gave them.

    Raises:
        Refused: The allowance contradicts itself.
    """
    kinds = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse") or [])
    named = {int(one) for one in (allowed or {}).get("users") or []}
    if named and "users" in kinds:
        raise invalid(
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
            'parse:["users"] and users: [ids...] are mutually exclusive.',
        )
    ids = list(dict.fromkeys(int(found) for found in _PERSON.findall(text)))
    people = [
        user
        for user in (_reachable(place, one) for one in ids)
        if user is not None and ("users" in kinds or user.id in named)
    ]
    if answered is not None and _rings_the_answered(allowed) and answered.author not in people:
        people.insert(0, answered.author)
    loud = "everyone" in kinds and may(author, place, "mention_everyone")
    return Rung(people, loud and bool(_EVERYBODY.search(text)))


def _rings_the_answered(allowed: Mapping[str, Any] | None) -> bool:
    return True if allowed is None else bool(allowed.get("replied_user", False))


def _reachable(place: Channel, user_id: int) -> User | None:
    if place.guild is None:
        return next((one for one in place.recipients if one.id == user_id), None)
    member = place.guild.members.get(user_id)
    return member.user if member else None
