"""What a connection keeps in memory of recent events. All of it can be asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from bots.matrix.parse import Said, id_of, user_of

MOST = 2_000  # events
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """Who wrote an event, and the thread it stands in."""

    sender: str
    thread: str = ""


class Recent:
    """The latest events by id, and one's own by the key they were sent under."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, Known] = OrderedDict()
        self._sent: OrderedDict[str, str] = OrderedDict()

    def note(self, event: Mapping[str, object], said: object) -> None:
        """Keep what an event is."""
        event_id, sender = id_of(event.get("event_id"), "$"), user_of(event.get("sender"))
        if not event_id or not sender:
            return
        thread = said.thread if isinstance(said, Said) else ""
        _put(self._events, event_id, Known(sender, thread))
        unsigned = event.get("unsigned")
        key = unsigned.get("transaction_id") if isinstance(unsigned, Mapping) else None
        if isinstance(key, str):
            self.sent(key, event_id)

    def sent(self, key: str, event_id: str) -> None:
        """Keep under which id something sent now stands."""
        _put(self._sent, key, event_id)

    def known(self, event_id: str) -> Known | None:
        """Return what is known of an event."""
        return self._events.get(event_id)

    def event_of(self, key: str) -> str:
        """Return the id of what was sent under a key, or ""."""
        return self._sent.get(key, "")


def _put(store: OrderedDict[str, T], key: str, value: T) -> None:
    store[key] = value
    if len(store) > MOST:
        store.popitem(last=False)
