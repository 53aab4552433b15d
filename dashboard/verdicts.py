"""Who may hear what, remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Collection

from dashboard import rights
from dashboard.together import Together
from dashboard.topics import Rights

LONGEST_SECONDS = 4.0  # a verdict is never older when something is delivered
WANTED_SECONDS = 30.0  # after a subscription or a delivery; so long they are read before they age


class Verdicts:
    """The rights of the users that are connected, read again when they may be out of date."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Rights]] = {}
        self._wanted: dict[int, float] = {}
        self._right_since = 0.0  # monotonic
        self._rights: Together[int, Rights] = Together(rights.rights_of)

    async def of(self, user_ids: Collection[int]) -> dict[int, Rights]:
        """Return what each of these users may see; a user who is gone is missing."""
        now = time.monotonic()
        oldest = max(now - LONGEST_SECONDS, self._right_since)
        known = {pk: one for pk in user_ids if (one := self._known.get(pk)) and one[0] >= oldest}
        self._wanted.update(dict.fromkeys(user_ids, now))
        if len(known) == len(user_ids):
            return {pk: seen for pk, (_, seen) in known.items()}
        # For all of them: what is known of the others grows older during the read.
        return await self._read(
            user_ids, not_before=max(now - LONGEST_SECONDS / 2, self._right_since)
        )

    async def read(self, user_ids: Collection[int]) -> dict[int, Rights]:
        """Return what each of these users may see from now on, whatever was known."""
        self._wanted.update(dict.fromkeys(user_ids, time.monotonic()))
        return await self._read(user_ids)

    async def _read(
        self, user_ids: Collection[int], *, not_before: float | None = None
    ) -> dict[int, Rights]:
        found, begun_at = await self._rights.ask(user_ids, not_before=not_before)
        for user_id in user_ids:
            if begun_at >= self._known.get(user_id, (0.0,))[0]:
                self._known.pop(user_id, None)
                if user_id in found:
                    self._known[user_id] = (begun_at, found[user_id])
        return found

    async def renew(self, user_ids: Collection[int]) -> None:
        """Read anew what was asked for lately, of these users; forget everybody else's."""
        since = time.monotonic() - WANTED_SECONDS
        self._known = {pk: one for pk, one in self._known.items() if pk in user_ids}
        self._wanted = {pk: at for pk, at in self._wanted.items() if pk in user_ids and at > since}
        if self._wanted:
            await self._read(set(self._wanted))

    def doubt(self) -> None:
        """Trust nothing that was read before this moment."""
        self._right_since = time.monotonic()
