"""Fetches files that members sent on platforms, and lays down those that agents will send.

Beside the syncs and the pieces, never inside them: a large file holds up nobody's words. What is
to be done stands in rows that are leased, so a process that ends in between loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from django.db import Error as DatabaseError

from agentapp.drafts import uploading
from agentapp.drafts.uploading import Unsent
from agentapp.files.rules import size_in_words
from agentapp.foundation import faults
from agentapp.foundation.errors import AgentError, Refused
from agentapp.intake import fetching
from agentapp.intake.fetching import Wanted
from bots.bridge import Bridge
from bots.connector import Connector, FileTooLong

logger = logging.getLogger(__name__)

AT_ONCE = 4  # files in memory of one process
LONGEST = 80.0  # seconds for one file; its lease is longer
TIDY_SECONDS = 300.0  # between two looks for files that nobody can fetch


class Cargo:
    """Moves the files of this process's logins.

    Args:
        bridge: The way to the engine.
        holder: This process's name in leases.
        connectors: The logins that this process may serve at this moment.
    """

    def __init__(
        self,
        *,
        bridge: Bridge,
        holder: str,
        connectors: Callable[[], Mapping[uuid.UUID, Connector]],
    ) -> None:
        self._bridge = bridge
        self._holder = holder
        self._connectors = connectors
        self._tasks: set[asyncio.Task[None]] = set()
        self._tidied_at = 0.0  # monotonic

    async def look(self) -> None:
        """Begin what is due; two queries."""
        connectors = dict(self._connectors())
        free = AT_ONCE - len(self._tasks)
        if not connectors or free <= 0:
            return
        for wanted in await self._bridge.call(
            fetching.claim_due, holder=self._holder, accounts=list(connectors), limit=free
        ):
            self._begin(self._fetch(connectors[wanted.account_id], wanted))
        free = AT_ONCE - len(self._tasks)
        for unsent in await self._bridge.call(
            uploading.claim_due, holder=self._holder, accounts=list(connectors), limit=free
        ):
            self._begin(self._upload(connectors[unsent.account_id], unsent))
        if time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._bridge.call(fetching.give_up_old)

    def stop(self) -> None:
        """Begin nothing more; what was not done is due again when its lease ends."""
        for task in list(self._tasks):
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except DatabaseError as error:
            logger.warning("a file waits for the database: %s", type(error).__name__)
        except Exception:  # one odd file must not keep the others
            logger.exception("a file could not be moved")

    async def _fetch(self, connector: Connector, wanted: Wanted) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                content = await connector.fetch(wanted.source, most=wanted.most)
        except FileTooLong:
            reason = f"It is larger than {size_in_words(wanted.most)}."
            await self._bridge.call(fetching.refuse, wanted, reason=reason)
        except Refused as error:
            await self._bridge.call(fetching.refuse, wanted, reason=error.message, is_lost=True)
        except Exception as error:  # noqa: BLE001  (whatever it was, the next attempt may do)
            await self._bridge.call(fetching.put_off, wanted, reason=_said(error))
        else:
            faults.passing("file.fetched")
            kept = await self._bridge.call(fetching.keep, wanted, content=content)
            logger.info("file %d: %d bytes, kept %s", wanted.attachment_id, len(content), kept)

    async def _upload(self, connector: Connector, unsent: Unsent) -> None:
        content = await self._bridge.call(uploading.content_of, unsent)
        if content is None:
            await self._bridge.call(uploading.give_up, unsent, reason="It is gone.")
            return
        faults.passing("file.uploading")
        try:
            async with asyncio.timeout(LONGEST):
                where = await connector.upload(
                    content,
                    content_type=unsent.content_type,
                    name=unsent.name,
                    room=unsent.room_external_id,
                )
        except Refused as error:
            await self._bridge.call(uploading.give_up, unsent, reason=error.message)
        except Exception as error:  # noqa: BLE001  (whatever it was, the next attempt may do)
            await self._bridge.call(uploading.put_off, unsent, reason=_said(error))
        else:
            faults.passing("file.uploaded")
            await self._bridge.call(uploading.note_uploaded, unsent, where=where)


def _said(error: Exception) -> str:
    return error.message if isinstance(error, AgentError) else type(error).__name__
