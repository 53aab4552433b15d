"""Agents with bots on the fake Discord, and the host that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.identity.models import Account, Agent, Room
from agentapp.identity.services.logins import add_login
from agentapp.intake.doorways import pick_doorway
from agentapp.presence.models import Doorway, Membership
from bots.bridge import Bridge
from bots.discord.client import DiscordConnector
from bots.host import Host
from tests.bots.places import eventually
from tests.cast import Cast
from tests.fakes.discord import Bot, Place


def login_agent(cast: Cast, agent: Agent, bot: Bot) -> Account:
    """Give an agent a bot."""
    return add_login(
        agent_id=agent.pk,
        platform="discord",
        external_id=str(bot.id),
        name=agent.name,
        secret=bot.token,
        by=cast.root,
    )


@asynccontextmanager
async def discord_host(
    bridge: Bridge, maker: type[DiscordConnector] = DiscordConnector
) -> AsyncIterator[Host]:
    """Run a host of Discord logins until the block ends."""
    stop = asyncio.Event()
    host = Host(makers={"discord": maker}, bridge=bridge)
    task = asyncio.create_task(host.run(stop))
    try:
        yield host
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def let_into(bridge: Bridge, cast: Cast, agent: Agent, *places: Place) -> None:
    """Pick channels for an agent, and wait until it is in."""
    for place in places:
        shown = partial(is_shown, agent, place)
        await eventually(bridge, shown, True)
        await bridge.call(pick, cast, agent, place)
    for place in places:
        await eventually(bridge, partial(membership_of, agent, place), "active")


def is_shown(agent: Agent, place: Place) -> bool:
    return Doorway.objects.filter(account__agent=agent, external_id=str(place.id)).exists()


def pick(cast: Cast, agent: Agent, place: Place) -> None:
    doorway = Doorway.objects.get(account__agent=agent, external_id=str(place.id))
    pick_doorway(doorway_id=doorway.pk, by=cast.root)


def health(agent: Agent) -> tuple[str, str]:
    row = Account.objects.get(agent=agent, platform="discord")
    return row.health, row.last_error


def room_of(place: Place) -> Room:
    return Room.objects.get(platform="discord", external_id=str(place.id))


def record_of(place: Place) -> list[str]:
    """Return what is on record of a place, in the order in which agents read it."""
    return list(
        Message.objects.filter(
            room__external_id=str(place.id), is_known=True, deleted_at__isnull=True
        )
        .order_by("id")
        .values_list("text", flat=True)
    )


def membership_of(agent: Agent, place: Place) -> str:
    rows = Membership.objects.filter(agent=agent, room__external_id=str(place.id)).order_by("-id")
    return rows.values_list("state", flat=True).first() or ""


def read_to(agent: Agent, place: Place) -> str:
    rows = Membership.objects.filter(agent=agent, room__external_id=str(place.id)).order_by("-id")
    return rows.values_list("read_to", flat=True).first() or ""


def answers(agent: Agent, place: Place, text: str, *, to: int = 0, **fields: object) -> Draft:
    """Let an agent say something that may leave at once."""
    Agent.objects.filter(pk=agent.pk).update(
        approval_rules=dict.fromkeys(("message", "comment", "reaction"), "auto")
    )
    target = Message.objects.get(external_id=str(to)).pk if to else None
    return propose(
        Wish(
            turn=None,
            agent_id=agent.pk,
            room_id=room_of(place).pk,
            text=text,
            target_id=target,
            **{"kind": "message", **fields},  # type: ignore[arg-type]
        )
    )
