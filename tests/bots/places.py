"""A running bots process inside a test, and what it is given to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, approve, propose
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Room
from bots.bridge import Bridge
from bots.host import Host, Maker
from bots.local.client import LocalConnector
from tests.cast import Cast
from tests.pace import allowed

T = TypeVar("T")


def run(work: Callable[[Bridge], Coroutine[Any, Any, T]]) -> T:
    async def whole() -> T:
        bridge = Bridge()
        try:
            return await work(bridge)
        finally:
            bridge.close()

    return asyncio.run(whole())


@asynccontextmanager
async def running_host(
    bridge: Bridge, *, maker: Maker = LocalConnector, holder: str = ""
) -> AsyncIterator[Host]:
    """Run a host until the block ends; it then stops as at SIGTERM."""
    stop = asyncio.Event()
    host = Host(makers={"local": maker}, bridge=bridge, holder=holder)
    task = asyncio.create_task(host.run(stop))
    try:
        await until(lambda: bool(host.running))
        yield host
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(allowed(seconds)):
        while not is_so():  # noqa: ASYNC110  (what changes is elsewhere)
            await asyncio.sleep(0.02)


async def eventually(
    bridge: Bridge, question: Callable[[], T], answer: T, seconds: float = 10.0
) -> None:
    """Ask the database until it gives this answer."""
    given: T | None = None
    try:
        async with asyncio.timeout(allowed(seconds)):
            while (given := await bridge.call(question)) != answer:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"after {seconds} s it is still {given!r}, not {answer!r}") from None


def approved(cast: Cast, text: str = "Good evening.", **fields: object) -> Draft:
    """Return a draft of Ada's that may leave at once."""
    draft = propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            room_id=cast.lounge.pk,
            text=text,
            **{"kind": "message", **fields},  # type: ignore[arg-type]
        )
    )
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    due_now()
    draft.refresh_from_db()
    return draft


def say_freely(cast: Cast, text: str, *, room: Room) -> None:
    """Let Bo, who may speak freely, say something."""
    Agent.objects.filter(pk=cast.bo.pk).update(approval_rules={"message": "auto"})
    propose(Wish(turn=None, agent_id=cast.bo.pk, kind="message", room_id=room.pk, text=text))


def due_now() -> None:
    Outbound.objects.update(not_before=clock.now())


def said_by(agent: Agent) -> list[str]:
    return list(
        Message.objects.filter(author__agent=agent, deleted_at__isnull=True)
        .order_by("id")
        .values_list("text", flat=True)
    )


def status_of(draft: Draft) -> str:
    return Draft.objects.values_list("status", flat=True).get(pk=draft.pk)
