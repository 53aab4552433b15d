"""Carries claimed pieces to their platforms and settles what became of each.

Every gate was asked by the claim. What remains here is time: no byte of a piece may leave after
its deadline, because from then on a suspension may have returned.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from django.db import Error as DatabaseError

from agentapp.drafts import publication
from agentapp.drafts.publication import Sent
from agentapp.drafts.publication.claiming import SEND_TIMEOUT_SECONDS
from agentapp.foundation import faults
from agentapp.foundation.envelope import Outgoing, Receipt
from bots.bridge import Bridge
from bots.connector import Connector, NotSent, SendRefused
from bots.gathering import Gathering

logger = logging.getLogger(__name__)

BATCH = 20  # pieces per claim
MOST_IN_FLIGHT = 40  # pieces; more could not start before their deadline
POLL_SECONDS = 1.0  # a lost wake-up costs at most this
GATHER_SECONDS = 0.03  # between two claims, so that busy moments are claimed together
BUSY_FROM, BUSY_GATHER_SECONDS = 3, 0.1  # pieces of one claim, from which the next waits longer
LOST_SECONDS = 1.0  # between two looks for pieces whose sender died
DRAIN_SECONDS = 1.5  # that pieces in flight get when the process stops


class Delivery:
    """Claims due pieces of this process's logins and sends them, many at once.

    Pieces of one room come one after the other, because the claim gives out the next one only
    when the one before it is final.

    Args:
        bridge: The way to the engine.
        holder: This process's name in claims.
        connectors: The logins that this process may serve at this moment.
    """

    def __init__(
        self,
        *,
        bridge: Bridge,
        holder: str,
        connectors: Callable[[], Mapping[uuid.UUID, Connector]],
    ) -> None:
        self.wake = asyncio.Event()
        self._bridge = bridge
        self._holder = holder
        self._connectors = connectors
        self._in_flight: set[asyncio.Task[None]] = set()
        self._under_way: Counter[uuid.UUID] = Counter()  # of each login
        self._sent = Gathering(self._mark_sent)

    async def run(self) -> None:
        """Deliver until cancelled; then let what is in flight end, within `DRAIN_SECONDS`."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._kept_going(self._send_due))
                group.create_task(self._kept_going(self._settle_lost))
        finally:
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=DRAIN_SECONDS)

    def is_busy_with(self, account_id: uuid.UUID) -> bool:
        """Say whether a piece of this login is on its way, being claimed or looked for."""
        return self._under_way[account_id] > 0

    @contextmanager
    def _busy_with(self, accounts: Collection[uuid.UUID]) -> Iterator[None]:
        some = list(accounts)
        self._under_way.update(some)
        try:
            yield
        finally:
            self._under_way.subtract(some)

    async def _send_due(self) -> None:
        while True:
            self.wake.clear()
            claimed_at = time.monotonic()
            free = min(BATCH, MOST_IN_FLIGHT - len(self._in_flight))
            taken = await self._claim(free) if free > 0 else 0
            if not 0 < taken == free:
                # `wait_for` may swallow a cancellation before Python 3.12:
                # https://github.com/python/cpython/issues/86296
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self.wake.wait()
            is_busy = BUSY_FROM <= taken < free
            gather = BUSY_GATHER_SECONDS if is_busy else GATHER_SECONDS
            await asyncio.sleep(claimed_at + gather - time.monotonic())

    async def _claim(self, free: int) -> int:
        """Take one batch and set it going; return how many pieces it has."""
        connectors = self._connectors()
        if not connectors:
            return 0
        with self._busy_with(connectors):
            return await self._claim_for(connectors, free)

    async def _claim_for(self, connectors: Mapping[uuid.UUID, Connector], free: int) -> int:
        claim = asyncio.create_task(
            self._bridge.call(
                publication.claim_due, holder=self._holder, accounts=list(connectors), limit=free
            )
        )
        try:
            pieces = await asyncio.shield(claim)
        except asyncio.CancelledError:
            # What the claim took all the same is sent while the process drains.
            self._begin(self._send_claimed(claim, connectors))
            raise
        for piece in pieces:
            account_id = uuid.UUID(piece.account_id)
            self._under_way[account_id] += 1
            self._begin(
                self._send(piece, connectors.get(account_id)),
                then=partial(self._no_longer_busy, account_id),
            )
        return len(pieces)

    async def _send_claimed(
        self,
        claim: asyncio.Task[list[Outgoing]],
        connectors: Mapping[uuid.UUID, Connector],
    ) -> None:
        await asyncio.gather(
            *(
                self._send(piece, connectors.get(uuid.UUID(piece.account_id)))
                for piece in await claim
            )
        )

    def _begin(
        self,
        work: Coroutine[Any, Any, None],
        *,
        then: Callable[[asyncio.Task[None]], None] | None = None,
    ) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._ended)
        if then is not None:
            task.add_done_callback(then)

    def _no_longer_busy(self, account_id: uuid.UUID, _task: asyncio.Task[None]) -> None:
        self._under_way[account_id] -= 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self.wake.set()  # the next piece of that room may be due now

    async def _send(self, piece: Outgoing, connector: Connector | None) -> None:
        """Send one piece and note what became of it."""
        try:
            receipt = await self._put(piece, connector)
        except NotSent as error:
            await self._settle(piece, publication.mark_failed, error=error.message, final=False)
        except SendRefused as error:
            await self._settle(piece, publication.mark_failed, error=error.message, final=True)
        except Exception as error:  # whatever went wrong, bytes may have left: only reading tells
            logger.exception("piece %s: it is not known whether it arrived", piece.outbound_id)
            await self._settle(piece, publication.mark_unknown, error=type(error).__name__)
        else:
            await self._note_sent(piece, receipt)

    async def _put(self, piece: Outgoing, connector: Connector | None) -> Receipt:
        if connector is None:
            raise NotSent("Its login is not served here any more.")
        if time.monotonic() >= piece.deadline:
            raise NotSent("It could not leave in time.")
        faults.passing("piece.leaving")
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            receipt = await connector.send(piece)
        faults.passing("piece.left")
        return receipt

    async def _note_sent(self, piece: Outgoing, receipt: Receipt) -> None:
        """Write down what arrived, together with what else arrives at this moment."""
        sent = Sent(piece.outbound_id, receipt.external_id, receipt.message_id)
        try:
            counts = await self._sent.add(sent)
        except DatabaseError as error:
            logger.warning("piece %s: that it arrived is not written", piece.outbound_id)
            logger.debug("because of %r", error)
            return
        faults.passing("piece.settled")
        logger.info(
            "piece %s on %s: arrived as %s%s",
            piece.outbound_id,
            piece.platform,
            receipt.external_id,
            "" if counts else " (too late: settled otherwise)",
        )

    async def _mark_sent(self, sent: Sequence[Sent]) -> list[bool]:
        counted = await self._bridge.call(publication.mark_all_sent, holder=self._holder, sent=sent)
        return [piece.outbound_id in counted for piece in sent]

    async def _settle(self, piece: Outgoing, mark: Callable[..., bool], **outcome: object) -> None:
        """Write the outcome down. If that fails, the lease runs out and the piece is read back."""
        try:
            counts = await self._bridge.call(
                mark, outbound_id=piece.outbound_id, holder=self._holder, **outcome
            )
        except DatabaseError as error:
            logger.warning("piece %s: %s is not written", piece.outbound_id, mark.__name__)
            logger.debug("because of %r", error)
            return
        said = {key: value for key, value in outcome.items() if value is not None}
        logger.info(
            "piece %s on %s: %s %s%s",
            piece.outbound_id,
            piece.platform,
            mark.__name__,
            said,
            "" if counts else " (too late: settled otherwise)",
        )

    async def _settle_lost(self) -> None:
        while True:
            await self._bridge.call(publication.reclaim_lost)
            connectors = self._connectors()
            if connectors:
                for piece in await self._bridge.call(
                    publication.unknown_due, holder=self._holder, accounts=list(connectors)
                ):
                    await self._read_back(piece, connectors.get(uuid.UUID(piece.account_id)))
            await asyncio.sleep(LOST_SECONDS)

    async def _read_back(self, piece: Outgoing, connector: Connector | None) -> None:
        """Ask the platform about an unknown piece; while it does not answer, it stays unknown."""
        if connector is None:
            return
        with self._busy_with([uuid.UUID(piece.account_id)]):
            await self._look_for(piece, connector)

    async def _look_for(self, piece: Outgoing, connector: Connector) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                receipt = await connector.read_back(piece)
        except Exception:  # one platform's trouble must not stop the others; it comes up again
            logger.exception("piece %s could not be read back", piece.outbound_id)
            return
        await self._settle(
            piece,
            publication.resolve_unknown,
            external_id=receipt.external_id if receipt else None,
            message_id=receipt.message_id if receipt else None,
        )
        self.wake.set()

    async def _kept_going(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except DatabaseError as error:
                logger.warning("delivery waits for the database: %s", type(error).__name__)
            except Exception:  # one odd piece must not end the sending of all the others
                logger.exception("delivery: %s failed and starts again", work.__name__)
            await asyncio.sleep(POLL_SECONDS)
