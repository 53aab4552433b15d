"""The product without one of its guards. A storm that passes with any of these proves nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agentapp.drafts.publication import claiming
from agentapp.foundation import faults
from agentapp.foundation.envelope import Incoming, Outgoing, Receipt
from agentapp.identity.models import Account
from agentapp.intake import lanes
from agentapp.intake.models import Lane
from agentapp.intake.seen import Batch
from agentapp.intake.services import web
from agentapp.moderation import services as moderation
from agentapp.presence.models import Membership
from bots.local import client
from bots.matrix import listening
from bots.matrix.client import MatrixConnector
from bots.matrix.crypt.ring import OUTBOUND, WRITTEN, Ring


def no_dedupe_key() -> None:
    """Every attempt to send a piece has a name of its own."""
    render = client.render_message

    def renamed(outgoing: Outgoing, *, name: str) -> Incoming:
        return replace(render(outgoing, name=name), external_id=uuid.uuid4().hex)

    client.render_message = renamed


def no_client_key() -> None:
    """A page that says something again says it twice."""
    web._external_id = lambda user, key: f"web:{user.pk}:{uuid.uuid4().hex}"


def done_before_the_work() -> None:
    """A lane is called decided when it is claimed, as a queue that acknowledges early does."""
    claim = lanes.claim

    def acknowledged(**arguments: Any) -> list[lanes.ClaimedLane]:
        taken = claim(**arguments)
        for lane in taken:
            Lane.objects.filter(pk=lane.id).update(decided_through=lane.wanted_through)
        return taken

    lanes.claim = acknowledged


def no_drain() -> None:
    """A suspension returns at once, while a sender is between its check and its write."""
    moderation._drain = lambda agent_id: None
    put = client._put_all

    def slowly(pieces: Any) -> Any:
        time.sleep(1.0)  # longer than a suspension takes where the machine is busy
        return put(pieces)

    client._put_all = slowly


def no_lease_fencing() -> None:
    """Whoever once had a login may claim what it has to say."""
    fenced = "login.lease_holder = %s AND login.lease_until > greenroom_now()"
    assert fenced in claiming._DUE
    claiming._DUE = claiming._DUE.replace(fenced, "%s <> ''")


def cursor_before_the_events() -> None:
    """A login's cursor moves before what it has read is stored."""
    accept = listening.accept_batch

    def early(batch: Batch) -> None:
        Account.objects.filter(pk=batch.account_id).update(cursor=batch.cursor)
        faults.passing("batch.written")
        accept(batch)

    listening.accept_batch = early


def no_read_back() -> None:
    """Whatever may have arrived on a homeserver is sent again, under another name."""
    send = MatrixConnector.send

    async def afresh(self: MatrixConnector, outgoing: Outgoing) -> Receipt:
        return await send(self, replace(outgoing, dedupe_key=uuid.uuid4().hex[:22]))

    async def nothing(_self: MatrixConnector, _outgoing: Outgoing) -> None:
        return None

    MatrixConnector.send = afresh  # type: ignore[method-assign]
    MatrixConnector.read_back = nothing  # type: ignore[assignment,method-assign]


def mark_before_the_messages() -> None:
    """How far a channel is read is written before what was said there."""
    from bots.discord import listening as reading  # noqa: PLC0415  (only its storm needs it)

    accept = reading.accept_batch

    def early(batch: Batch) -> None:
        for news in batch.rooms:
            if news.read_to:
                Membership.objects.filter(room__external_id=news.place.external_id).update(
                    read_to=news.read_to
                )
        faults.passing("batch.written")
        accept(batch)

    reading.accept_batch = early


def no_nonce() -> None:
    """Every attempt to send a piece has a name of its own on Discord, and none is looked for."""
    from bots.discord.client import DiscordConnector  # noqa: PLC0415  (only its storm needs it)

    send = DiscordConnector.send

    async def afresh(self: DiscordConnector, outgoing: Outgoing) -> Receipt:
        return await send(self, replace(outgoing, dedupe_key=uuid.uuid4().hex[:22]))

    async def nothing(_self: DiscordConnector, _outgoing: Outgoing) -> None:
        return None

    DiscordConnector.send = afresh  # type: ignore[method-assign]
    DiscordConnector.read_back = nothing  # type: ignore[assignment,method-assign]


def ratchets_not_kept() -> None:
    """What an encrypted room is written with is not stored before it leaves."""
    store = Ring.store

    async def lax(self: Ring) -> None:
        if any(kind == WRITTEN for kind, _ in self._changed):
            self._changed = {name for name in self._changed if name[0] not in {OUTBOUND, WRITTEN}}
        await store(self)

    Ring.store = lax  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        no_dedupe_key,
        no_client_key,
        done_before_the_work,
        no_drain,
        no_lease_fencing,
        cursor_before_the_events,
        no_read_back,
        mark_before_the_messages,
        no_nonce,
        ratchets_not_kept,
    )
}


def apply(name: str) -> None:
    """Take a guard away, for the life of this process; "" leaves everything in place."""
    if name:
        MUTATIONS[name]()
