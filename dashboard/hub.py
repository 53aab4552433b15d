"""The live hub: one subscription per process, fanned out to its connections.

Hints on Redis only say "look now". What is told comes from the Event table, which is also read
every `SAFETY_SECONDS`, so that lost hints cost a moment and never a change. A hint on any other
topic (typing, the words of an unfinished turn) is not in the database and is passed on as it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from agentapp.events import queries
from agentapp.events.queries import Cursor, Sighting
from dashboard import border, rights
from dashboard.frames import Batch
from dashboard.hints import hints
from dashboard.links import Link
from dashboard.rights import Login
from dashboard.together import Together
from dashboard.topics import BROAD, NOTIFICATIONS, TURN, Rights, Topic, may_listen
from dashboard.verdicts import Verdicts

logger = logging.getLogger(__name__)

SAFETY_SECONDS = 2.0  # between two reads when no hint comes
COALESCE_SECONDS = 0.1  # between two reads when hints rain
LOGINS_SECONDS = 3.0  # between two looks at the sessions and ranks of all connections
RENEW_SECONDS = 2.0  # between two looks at the rights of those who are being told things
PAGE = 500  # events; a client further behind reads its whole page again
# A page is drawn a little before its socket opens; what happened meanwhile is told again.
DRAWN_WITHIN = timedelta(seconds=15)
BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0)
LOGGED_OUT, ROLE_CHANGED = 4401, 4403


class Hub:
    """Everything live in one event loop. Works while it has a connection."""

    def __init__(self) -> None:
        self.cursor = Cursor(0, 0)
        self.links: set[Link] = set()
        self._listeners: dict[Topic, set[Link]] = {}
        self._early: set[int] = set()  # told before everything older was certain
        self._verdicts = Verdicts()
        self._logins: Together[str, Login] = Together(rights.logins)
        self._missed: Together[Cursor | None, Batch | None] = Together(self._read_missed)
        self._wake = asyncio.Event()
        self._starting = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, session_key: str) -> Link | None:
        """Take a connection in; the first one starts the work. None without a valid session."""
        found, _ = await self._logins.ask([session_key])
        if session_key not in found:
            return None
        link = Link(login=found[session_key], session_key=session_key)
        async with self._starting:
            if not self._tasks:
                self.cursor = await border.call(queries.head)
                self._early.clear()
                self._tasks = [
                    asyncio.create_task(_kept_going(work), name=f"live{work.__name__}")
                    for work in (
                        self._read_events,
                        self._hear_hints,
                        self._watch_logins,
                        self._renew_rights,
                    )
                ]
            self.links.add(link)
        return link

    def leave(self, link: Link) -> None:
        """Forget a connection; after the last one there is nothing to do."""
        self.links.discard(link)
        self._set_topics(link, {})
        if not self.links:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def listen(
        self, link: Link, wanted: Collection[Topic], *, since: Cursor | None
    ) -> list[Topic]:
        """Let a connection hear exactly these topics, as far as its user may.

        What happened after `since` is told again; without it, what happened while the page was
        being drawn. Returns the topics that were refused.
        """
        if not wanted:
            self._set_topics(link, {})
            return []
        turns = [topic.row_id for topic in wanted if topic.kind == TURN]
        agents = await border.call(rights.agents_of_turns, turns) if turns else {}
        # A subscription is never judged from memory.
        seen = (await self._verdicts.read({link.user_id})).get(link.user_id)
        if seen is None or link not in self.links:
            return list(wanted)
        turn_agents = {
            topic: agents.get(topic.row_id) if topic.kind == TURN else None for topic in wanted
        }
        granted = {
            topic: agent
            for topic, agent in turn_agents.items()
            if may_listen(topic, seen, turn_agent=agent)
        }
        self._set_topics(link, granted)
        await self._replay(link, seen, since)
        return [topic for topic in wanted if topic not in granted]

    async def _replay(self, link: Link, seen: Rights, since: Cursor | None) -> None:
        found, _ = await self._missed.ask([since])
        batch = found[since]
        if batch is None:
            link.resync()
            return
        for topic in link.topics.keys() & batch.notices.keys():
            for frame in batch.frames(topic, seen):
                link.offer(frame)

    def _read_missed(self, places: Collection[Cursor | None]) -> dict[Cursor | None, Batch | None]:
        """Return what happened after each place; None where that is too much to tell."""
        missed: dict[Cursor | None, Batch | None] = {}
        for since in places:
            cursor = self.cursor  # of before the read: what comes meanwhile is not in it
            sightings = (
                queries.recent(within=DRAWN_WITHIN, limit=PAGE)
                if since is None
                else queries.visible_after(since, known=(), limit=PAGE)
            )
            events = [one.event for one in sightings]
            missed[since] = Batch(events, cursor) if len(events) < PAGE else None
        return missed

    def _set_topics(self, link: Link, topics: dict[Topic, int | None]) -> None:
        for topic in link.topics.keys() - topics.keys():
            self._listeners[topic].discard(link)
            if not self._listeners[topic]:
                del self._listeners[topic]
        for topic in topics.keys() - link.topics.keys():
            self._listeners.setdefault(topic, set()).add(link)
        link.topics = topics

    async def _read_events(self) -> None:
        """Read and tell: at once after a hint, but not more often than pages can use it."""
        while True:
            await self._catch_up()
            await asyncio.sleep(COALESCE_SECONDS)
            # `wait_for` may swallow a cancellation before Python 3.12:
            # https://github.com/python/cpython/issues/86296
            with suppress(TimeoutError):
                async with asyncio.timeout(SAFETY_SECONDS - COALESCE_SECONDS):
                    await self._wake.wait()

    async def _catch_up(self) -> None:
        is_full = True
        while is_full:
            self._wake.clear()
            page = await border.call(
                queries.visible_after, self.cursor, known=tuple(self._early), limit=PAGE
            )
            cursor = _moved(self.cursor, page)
            await self._tell(
                Batch([one.event for one in page if one.event.pk not in self._early], cursor)
            )
            # Only now: had telling failed, the same rows would be read and told again.
            self._early -= {one.event.pk for one in page if one.is_settled}
            self._early |= {one.event.pk for one in page if not one.is_settled}
            self.cursor = cursor
            is_full = len(page) >= PAGE

    async def _tell(self, batch: Batch) -> None:
        if batch.changes_rights:
            self._verdicts.doubt()
        listened = self._listeners.keys() & batch.notices.keys()
        users = {link.user_id for topic in listened for link in self._listeners[topic]}
        verdicts = await self._verdicts.of(users)
        for topic in listened:
            is_personal = batch.is_personal(topic)
            # Thousands may listen, but there are few kinds of them.
            told: dict[object, list[str] | None] = {}
            for link in list(self._listeners.get(topic, ())):
                seen = verdicts.get(link.user_id)
                if seen is None:
                    continue
                kind = link.user_id if is_personal else seen.alike
                if kind not in told:
                    may = may_listen(topic, seen, turn_agent=link.topics[topic])
                    told[kind] = batch.frames(topic, seen) if may else None
                frames = told[kind]
                if frames is None:
                    self._take_away(link, topic)
                for frame in frames or ():
                    link.offer(frame)

    async def _hear_hints(self) -> None:
        async with aclosing(hints()) as stream:
            async for hint in stream:
                # None: the subscription is new, and what was said before it is not known.
                if hint is None or hint.get("t") == "events":
                    self._wake.set()
                else:
                    await self._pass_on(hint)

    async def _pass_on(self, hint: dict[str, Any]) -> None:
        topic = Topic.parse(hint.get("t"))
        links = list(self._listeners.get(topic, ())) if topic else []
        if topic is None or not links:
            return
        verdicts = await self._verdicts.of({link.user_id for link in links})
        frame = json.dumps(hint)
        for link in links:
            seen = verdicts.get(link.user_id)
            if seen and _is_for(link, topic, hint) and self._still_may(link, topic, seen):
                link.offer(frame)

    def _still_may(self, link: Link, topic: Topic, seen: Rights) -> bool:
        """Check a topic again at delivery; one that is no longer allowed is taken away."""
        if topic not in link.topics:
            return False
        if may_listen(topic, seen, turn_agent=link.topics[topic]):
            return True
        self._take_away(link, topic)
        return False

    def _take_away(self, link: Link, topic: Topic) -> None:
        self._set_topics(link, {one: a for one, a in link.topics.items() if one != topic})

    async def _watch_logins(self) -> None:
        """End connections whose session ended or whose user's rank changed."""
        while True:
            await asyncio.sleep(LOGINS_SECONDS)
            links = list(self.links)
            valid, _ = await self._logins.ask({link.session_key for link in links})
            for link in links:
                login = valid.get(link.session_key)
                if login is None or login.user_id != link.user_id:
                    link.end(LOGGED_OUT)
                elif login != link.login:
                    link.end(ROLE_CHANGED)

    async def _renew_rights(self) -> None:
        """Read rights again before they are too old, so that what is told waits for no read."""
        while True:
            begun = time.monotonic()
            await self._verdicts.renew({link.user_id for link in self.links})
            taken = time.monotonic() - begun
            await asyncio.sleep(max(RENEW_SECONDS - taken, RENEW_SECONDS / 4))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def running_hub() -> Hub:
    """Return the hub of the running event loop, made at first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def _moved(cursor: Cursor, page: list[Sighting]) -> Cursor:
    settled = [one.event for one in page if one.is_settled]
    return Cursor(settled[-1].xid, settled[-1].pk) if settled else cursor


def _is_for(link: Link, topic: Topic, hint: dict[str, Any]) -> bool:
    """Say whether a hint that is no event may go to this link; of lists only one's own notes."""
    if topic.kind == NOTIFICATIONS:
        return hint.get("id") == link.user_id
    return topic.kind not in BROAD


async def _kept_going(work: Callable[[], Awaitable[None]]) -> None:
    """Start a part of the hub again whenever what it depends on fails."""
    failures = 0
    while True:
        started = time.monotonic()
        try:
            await work()
        except (DatabaseError, RedisError, OSError) as error:
            logger.warning("live:%s waits for %s", work.__name__, type(error).__name__)
        except Exception:  # one odd row must not end everybody's live pages
            logger.exception("live:%s failed and starts again", work.__name__)
        failures = 0 if time.monotonic() - started > BACK_OFF_SECONDS[-1] * 2 else failures + 1
        await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS)) - 1])
