"""Carries approved pieces onto their platforms."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping, Sequence

from agentapp.drafts import publication
from agentapp.drafts.publication.claiming import SEND_TIMEOUT_SECONDS
from agentapp.foundation.envelope import Outgoing, Receipt
from bots.bridge import Bridge
from bots.connector import Connector, SendFailed

logger = logging.getLogger(__name__)

BATCH = 20  # pieces per claim


class Delivery:
    """Claims due pieces of this process's logins, sends them, and settles what became of them."""

    def __init__(self, *, bridge: Bridge, connectors: Mapping[str, Connector], holder: str) -> None:
        self._bridge = bridge
        self._connectors = connectors
        self._holder = holder

    async def run_once(self, accounts: Sequence[uuid.UUID]) -> int:
        """Deliver everything that is due now; returns how many pieces were sent."""
        if not accounts:
            return 0
        await self._bridge.call(publication.reclaim_lost)
        await self._read_back(accounts)
        sent = 0
        while True:
            pieces = await self._bridge.call(
                publication.claim_due, holder=self._holder, accounts=accounts, limit=BATCH
            )
            if not pieces:
                return sent
            sent += sum(await asyncio.gather(*map(self._deliver, pieces)))

    async def _deliver(self, piece: Outgoing) -> bool:
        """Send one piece; returns whether it is known to have arrived."""
        if time.monotonic() > piece.deadline:
            # The lease may be gone by the time the answer comes, so no byte leaves.
            await self._failed(piece, "It was not sent in time.", final=False)
            return False
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                receipt = await self._connectors[piece.platform].send(piece)
        except SendFailed as refused:
            await self._failed(piece, str(refused), final=refused.final)
            return False
        except Exception as error:  # bytes may have left: only the platform knows
            logger.exception("piece %d: no answer from %s", piece.outbound_id, piece.platform)
            await self._bridge.call(
                publication.mark_unknown,
                outbound_id=piece.outbound_id,
                holder=self._holder,
                error=type(error).__name__,
            )
            return False
        await self._sent(piece, receipt)
        return True

    async def _read_back(self, accounts: Sequence[uuid.UUID]) -> None:
        for piece in await self._bridge.call(
            publication.unknown_due, holder=self._holder, accounts=accounts
        ):
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    receipt = await self._connectors[piece.platform].read_back(piece)
            except Exception:  # still unknown; it comes up again
                logger.exception("piece %d could not be read back", piece.outbound_id)
                continue
            await self._bridge.call(
                publication.resolve_unknown,
                outbound_id=piece.outbound_id,
                holder=self._holder,
                external_id=receipt.external_id if receipt else None,
                message_id=receipt.message_id if receipt else None,
            )

    async def _sent(self, piece: Outgoing, receipt: Receipt) -> None:
        await self._bridge.call(
            publication.mark_sent,
            outbound_id=piece.outbound_id,
            holder=self._holder,
            external_id=receipt.external_id,
            message_id=receipt.message_id,
        )
        logger.info("piece %d is on %s", piece.outbound_id, piece.platform)

    async def _failed(self, piece: Outgoing, error: str, *, final: bool) -> None:
        await self._bridge.call(
            publication.mark_failed,
            outbound_id=piece.outbound_id,
            holder=self._holder,
            error=error,
            final=final,
        )
        logger.info("piece %d failed: %s", piece.outbound_id, error)
