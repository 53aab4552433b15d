"""What goes over a live connection, and which of many changes are worth a frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from agentapp.events.models import Event
from agentapp.events.queries import Cursor
from dashboard.topics import BROAD, Notice, Rights, Topic, may_hear, topics_of

RESYNC = json.dumps({"op": "resync"})


class Batch:
    """Changes told together: encoded once, and only the frames that somebody gets.

    Of a list such as `drafts` a page needs to hear once that it changed; of one row it hears each
    different change once. `cursor` is where a client may go on from that has heard the batch.
    """

    def __init__(self, events: Iterable[Event], cursor: Cursor) -> None:
        self._cursor = str(cursor)
        self._encoded: dict[tuple[Topic, int], str] = {}
        self.notices: dict[Topic, list[Notice]] = {}
        for notice in map(_notice, events):
            for topic in topics_of(notice):
                self.notices.setdefault(topic, []).append(notice)

    @property
    def changes_rights(self) -> bool:
        """Whether somebody may see more or less after this than before."""
        return any(one.changes_rights for notices in self.notices.values() for one in notices)

    def is_personal(self, topic: Topic) -> bool:
        """Whether users with the same rights may hear different things of this topic."""
        return any(one.is_personal for one in self.notices[topic])

    def frames(self, topic: Topic, rights: Rights) -> list[str]:
        """Return the frames of a topic that a user with these rights gets, oldest first."""
        heard = [one for one in self.notices[topic] if may_hear(topic.kind, one, rights)]
        chosen = heard[-1:] if topic.kind in BROAD else _latest_of_each(heard)
        return [self._frame(topic, notice) for notice in chosen]

    def _frame(self, topic: Topic, notice: Notice) -> str:
        key = (topic, notice.event_id)
        if key not in self._encoded:
            self._encoded[key] = json.dumps(
                {
                    "t": str(topic),
                    "id": notice.subject_id,
                    "e": notice.type,
                    "c": self._cursor,
                },
                separators=(",", ":"),
            )
        return self._encoded[key]


def ping(cursor: Cursor) -> str:
    """Return a sign of life; it also says where to go on from after a break."""
    return json.dumps({"op": "ping", "c": str(cursor)})


def refused(topics: Sequence[Topic | str]) -> str:
    """Return the answer about topics that do not exist or are not for this user."""
    return json.dumps({"op": "refused", "topics": [str(topic) for topic in topics]})


def _latest_of_each(notices: list[Notice]) -> list[Notice]:
    return list({(one.type, one.subject_kind, one.subject_id): one for one in notices}.values())


def _notice(event: Event) -> Notice:
    return Notice(
        event_id=event.pk,
        type=event.type,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        workspace_id=event.workspace_id,
        agent_id=event.agent_id,
        room_id=event.room_id,
    )
