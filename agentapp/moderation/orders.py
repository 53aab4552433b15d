"""An order in a room, and the words in which agents and their owners hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from agentapp.drafts.services import Wish, propose
from agentapp.foundation.envelope import Author
from agentapp.foundation.errors import AgentError
from agentapp.foundation.secrets import digest
from agentapp.foundation.text import one_line
from agentapp.identity.models import Identity
from agentapp.notifications.services import notify
from agentapp.presence.models import Membership

DIGEST = 40  # characters of an order's name that are kept


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered about one agent in one room.

    Attributes:
        act: mute, unmute, remove or delete; or what somebody asks about themselves.
        hours: How long a mute lasts; None is until it is lifted.
        external_id: The platform's name of the message that ordered it; obeyed once.
        at: When it was given, by the platform's clock.
        is_for_all: Every agent of the room was named; one of them says what was done.
        count: How many of its last messages are deleted.
        mentions: The platform's names of whom the message mentions.
        reply_to: The platform's name of the message that it answers.
    """

    workspace_id: int
    platform: str
    room_external_id: str
    agent_id: int
    by: Author
    act: str
    hours: float | None
    external_id: str
    at: datetime | None = None
    is_for_all: bool = False
    count: int = 1
    mentions: tuple[str, ...] = ()
    reply_to: str = ""


def say_for_all(order: Order, membership: Membership, text: str) -> None:
    """Let whichever agent is first say it for all; the draft's key is the same for all of them."""
    say(membership, f"{order.platform}:{order.external_id}", text)


def say(membership: Membership, key: str, text: str) -> None:
    """Say in the room what was done: the one thing that a mute lets through."""
    try:
        with transaction.atomic():
            propose(
                Wish(
                    turn=None,
                    agent_id=membership.agent_id,
                    kind="message",
                    room_id=membership.room_id,
                    text=text,
                    visibility="private",
                    metadata={"notice": True, "code": "moderation"},
                    why="Somebody who looks after the room ordered it.",
                    key=f"moderation:{digest(key)[:DIGEST]}",
                )
            )
    except (AgentError, IntegrityError):
        return  # without a way to say so, or said by another meanwhile, it holds all the same


def tell_owner(membership: Membership, *, by: Identity | None, about: str, text: str) -> None:
    """Tell an agent's owner what was ordered about it in a room; once for each `about`."""
    name = one_line(by.name) if by else "Somebody"
    notify(
        user_id=membership.agent.owner_id,
        workspace_id=membership.workspace_id,
        kind=f"room.moderated.{about}",
        subject_kind="agent",
        subject_id=membership.agent_id,
        text=f"{name}, who looks after the room, {text.format(membership.room)}",
    )


def hours_in_words(hours: float | None) -> str:
    """Say how long something lasts; "" for no end."""
    if hours is None:
        return ""
    if hours < 1:
        return f"{round(hours * 60)} minutes"
    return "one hour" if hours == 1 else f"{hours:g} hours"
