"""What the processes of a host do, once each: in a victim, or undisturbed in the test itself."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from unittest import mock

from django.db import connection
from django.db.models import Q
from django.test import override_settings

from agentapp.drafts import publication
from agentapp.drafts import services as drafts
from agentapp.drafts.errors import DraftNotPending
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import settling
from agentapp.engine import worker
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.faults import POINTS
from agentapp.identity.models import User
from agentapp.identity.services import leases
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake import services as intake
from bots import delivery
from bots.bridge import Bridge
from bots.delivery import Delivery
from bots.host import Host, Maker, holder_name
from bots.local.client import LocalConnector
from bots.matrix.client import MatrixConnector
from bots.matrix.ghosts.haunting import close_wires
from bots.matrix.ghosts.reader import ServiceReader
from bots.readers import ReaderMaker
from tests.faults.errands import ERRAND_OF, ERRANDS

# What waits for its turn in a host waits less here.
HASTE = {
    "POLL_SECONDS": 0.03,
    "LOST_SECONDS": 0.03,
    "GATHER_SECONDS": 0.005,
    "BUSY_GATHER_SECONDS": 0.005,
}
LOOK_SECONDS = 0.02
MOST_SECONDS = 15.0
STALE_SECONDS = 0.3  # that somebody without a right tries
_LEASES_PASS = "UPDATE greenroom_clock SET shift = shift + interval '25 s'"


def say(*, user_id: int, room_id: int, text: str, key: str) -> None:
    """Say something as a member's page does; saying it again with the same key is a retry."""
    with fresh_connection():
        user = User.objects.get(pk=user_id)
        intake.post_web_message(user=user, room_id=room_id, text=text, client_key=key)


def work() -> None:
    """Decide and think until nothing is due."""
    with fresh_connection():
        worker.work_lanes()


def approve() -> None:
    """Let everything pass that waits for its owner."""
    with fresh_connection():
        waiting = Draft.objects.filter(status=Draft.Status.PENDING).select_related("agent__owner")
        for draft in waiting.order_by("pk"):
            with suppress(DraftNotPending):
                drafts.approve(
                    draft_id=draft.pk,
                    version=draft.version,
                    content_hash=draft.content_hash,
                    by=draft.agent.owner,
                )


def send() -> None:
    """Deliver until nothing is due."""
    with mock.patch.multiple(delivery, **HASTE):
        asyncio.run(_deliver())


async def _deliver() -> None:
    bridge = Bridge()
    holder = holder_name()
    connectors = {
        account.account_id: LocalConnector(account, bridge)
        for account in await bridge.call(_taken, holder)
    }
    running = Delivery(bridge=bridge, holder=holder, connectors=lambda: dict(connectors))
    task = asyncio.create_task(running.run())
    give_up = time.monotonic() + MOST_SECONDS
    while await bridge.call(_is_due) and time.monotonic() < give_up:  # noqa: ASYNC110 - a table
        await asyncio.sleep(LOOK_SECONDS)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await bridge.call(leases.give_back, holder=holder)
    bridge.close()


def send_without_right() -> None:
    """Deliver as a process does that was halted until others had its logins, and woke up."""
    holder = holder_name()
    held = _taken(holder)
    with connection.cursor() as cursor:
        cursor.execute(_LEASES_PASS)
    _taken("another")
    with mock.patch.multiple(delivery, **HASTE):
        asyncio.run(_send_stale(holder, held))
    leases.give_back(holder="another")


async def _send_stale(holder: str, held: list[HeldAccount]) -> None:
    bridge = Bridge()
    connectors = {one.account_id: LocalConnector(one, bridge) for one in held}
    running = Delivery(bridge=bridge, holder=holder, connectors=lambda: dict(connectors))
    task = asyncio.create_task(running.run())
    await asyncio.sleep(STALE_SECONDS)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    bridge.close()


def look_back() -> None:
    """Settle what dead senders left behind, without sending anything."""
    with mock.patch.multiple(delivery, **HASTE):
        asyncio.run(_look_back())


async def _look_back() -> None:
    bridge = Bridge()
    holder = holder_name()
    await bridge.call(publication.reclaim_lost)
    accounts = {account.account_id: account for account in await bridge.call(_taken, holder)}
    for piece in await bridge.call(publication.unknown_due, holder=holder, accounts=[*accounts]):
        connector = LocalConnector(accounts[uuid.UUID(piece.account_id)], bridge)
        receipt = await connector.read_back(piece)
        await bridge.call(
            publication.resolve_unknown,
            outbound_id=piece.outbound_id,
            holder=holder,
            external_id=receipt.external_id if receipt else None,
            message_id=receipt.message_id if receipt else None,
        )
    await bridge.call(leases.give_back, holder=holder)
    bridge.close()


def _taken(holder: str) -> list[HeldAccount]:
    return leases.take_free(holder=holder, platforms=["local"])


def _is_due() -> bool:
    """Say whether a piece could leave now, or is on its way."""
    waiting = Q(state__in=[Outbound.State.QUEUED, Outbound.State.UNKNOWN])
    failed = Q(state=Outbound.State.FAILED, lease_until__isnull=False)
    on_its_way = Q(state=Outbound.State.PUBLISHING)
    due = (waiting | failed) & Q(not_before__lte=GreenroomNow())
    return Outbound.objects.filter(due | on_its_way).exists()


def serve_discord(*, seconds: float, api: str, gateway: str) -> None:
    """Run the bots on a Discord as the bots process does, for a while."""
    from bots.discord import gateway as connecting  # noqa: PLC0415
    from bots.discord import rooms  # noqa: PLC0415  (only this role needs the library)
    from bots.discord.client import DiscordConnector  # noqa: PLC0415

    with (
        mock.patch.multiple(delivery, **HASTE),
        mock.patch.multiple(settling, BACK_OFF_SECONDS=(0.1,), MAX_ATTEMPTS=50),
        mock.patch.multiple(connecting, BETWEEN_SESSIONS=0.0, READY_SECONDS=0.05),
        mock.patch.multiple(rooms, SETTLE_SECONDS=0.02),
        override_settings(DISCORD_API=api, DISCORD_GATEWAY=gateway),
    ):
        asyncio.run(_serve(seconds, {"discord": DiscordConnector}))


def serve(*, seconds: float) -> None:
    """Run the Matrix logins as the bots process does, for a while."""
    haste = mock.patch.multiple(delivery, **HASTE)
    with haste, override_settings(MATRIX_ALLOW_PRIVATE=True):
        asyncio.run(_serve(seconds, {"matrix": MatrixConnector}, {"matrix": ServiceReader}))


async def _serve(
    seconds: float, makers: dict[str, Maker], readers: dict[str, ReaderMaker] | None = None
) -> None:
    bridge, stop = Bridge(), asyncio.Event()
    host = Host(makers=makers, readers=readers, bridge=bridge)
    running = asyncio.create_task(host.run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await running
    await close_wires(bridge)
    bridge.close()


ROLES: dict[str, Callable[..., None]] = {
    "say": say,
    "work": work,
    "approve": approve,
    "send": send,
    "send_without_right": send_without_right,
    "look": look_back,
    "serve": serve,
    "serve_discord": serve_discord,
    **ERRANDS,
}

# Whose work passes a point.
ROLE_OF = {
    **ERRAND_OF,
    "batch.written": "serve",
    "batch.committed": "serve",
    "intake.written": "say",
    "intake.committed": "say",
    "lane.claimed": "work",
    "decision.written": "work",
    "turn.begun": "work",
    "prompt.assembled": "work",
    "call.opened": "work",
    "call.streaming": "work",
    "call.answered": "work",
    "call.settled": "work",
    "memory.written": "work",
    "draft.written": "work",
    "turn.ended": "work",
    "approval.written": "approve",
    "lease.taken": "send",
    "claim.written": "send",
    "piece.claimed": "send",
    "piece.leaving": "send",
    "keys.written": "serve",
    "keys.sent": "serve",
    "ciphertext.ready": "serve",
    "piece.left": "send",
    "piece.marked": "send",
    "piece.settled": "send",
    "lease.given": "send",
    "lost.written": "look",
    "unknown.leased": "look",
    "unknown.settled": "look",
    "file.fetched": "serve",
    "file.examined": "serve",
    "file.written": "serve",
    "file.uploading": "serve",
    "file.uploaded": "serve",
}

# What the answer to a message of a web room passes on its way. The others lie beside, or on the way
# of one from a platform.
WEB_POINTS = tuple(p for p in POINTS if ROLE_OF[p] != "serve" and p not in ERRAND_OF)
