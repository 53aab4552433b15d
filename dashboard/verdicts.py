"""Who may hear what, remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Collection

from dashboard import border, rights
from dashboard.topics import Rights

LONGEST_SECONDS = 4.0  # a verdict is never older when something is delivered


class Verdicts:
    """The rights of the users that are connected, read again when they may be out of date."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Rights]] = {}
        self._right_since = 0.0  # monotonic

    async def of(self, user_ids: Collection[int]) -> dict[int, Rights]:
        """Return what each of these users may see; a user who is gone is missing."""
        oldest = max(time.monotonic() - LONGEST_SECONDS, self._right_since)
        old = {pk for pk in user_ids if pk not in self._known or self._known[pk][0] < oldest}
        if old:
            looked_at = time.monotonic()
            found = await border.call(rights.rights_of, old)
            for user_id in old:
                self._known.pop(user_id, None)
            self._known.update({user_id: (looked_at, found[user_id]) for user_id in found})
        return {pk: self._known[pk][1] for pk in user_ids if pk in self._known}

    def doubt(self) -> None:
        """Trust nothing that was read before this moment."""
        self._right_since = time.monotonic()

    def forget(self, user_id: int) -> None:
        """Drop what is known of a user."""
        self._known.pop(user_id, None)
