"""The fake Discord: REST, files and the gateway on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from tests.fakes.discord import intents
from tests.fakes.discord.api import PREFIX, Api, Seen
from tests.fakes.discord.calls import Site
from tests.fakes.discord.clock import Clock
from tests.fakes.discord.commands import Commands
from tests.fakes.discord.faces import Stage
from tests.fakes.discord.faults import Fault, Trouble
from tests.fakes.discord.gateway import RECONNECT, Gateway
from tests.fakes.discord.limits import GLOBAL
from tests.fakes.discord.people import Bot, Guild, Person
from tests.fakes.discord.sessions import Hub, Line
from tests.fakes.discord.speech import Speech
from tests.fakes.discord.world import World
from tests.pace import allowed

T = TypeVar("T")
PATIENCE = 10.0  # seconds for which a test waits for something to happen


class Discord:
    """A Discord of one's own.

        with Discord() as discord:
            bot = discord.bot("reed")
            guild = discord.guild("Pond", bot)
            lobby = guild.channel("lobby")
            anna = guild.member("anna")
            ...                                   # the product connects with bot.token
            anna.says(lobby, "hello")
            discord.until(lambda: len(lobby.shows()) == 2)

    Everything may be called from any thread of this process; the bots may be anywhere.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._changes = threading.Condition()
        self._clock, self._hub = Clock(), Hub()
        self._world = World(self._clock, self._hub)
        self._api = Api(self._changed)
        self._gateway = Gateway(self._world, self._hub, self._changed)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._start())
        return self

    def __exit__(self, *_exc: object) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _start(self) -> None:
        await self._api.start()
        await self._gateway.start()
        speech = Speech(self._world, self._api.url)
        commands = Commands(speech)
        self._api.work_on(Site(self._world, speech, commands, lambda: self._gateway.url))
        self._stage = Stage(self._world, speech, commands, self.do, self.until)

    async def _stop(self) -> None:
        await self._gateway.stop()
        await self._api.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # Where it is

    @property
    def api_url(self) -> str:
        """Return what stands before every path of the REST API."""
        return self._api.url + PREFIX

    @property
    def gateway_url(self) -> str:
        return self._gateway.url

    # Who and what is there

    def person(self, name: str) -> Person:
        """Make somebody who is in no guild."""
        return Person(self._stage, self.do(self._world.new_user, name))

    def bot(
        self, name: str, *, owner: Person | None = None, privileged: int = intents.PRIVILEGED
    ) -> Bot:
        """Make an application with its bot; `privileged` are the intents switched on for it."""
        owner = owner or self.person(f"{name}-owner")
        return Bot(self._stage, self.do(self._world.new_app, name, owner.user, privileged))

    def guild(self, name: str, *bots: Bot) -> Guild:
        """Make a guild with these bots in it, owned by somebody new."""
        owner = self.person(f"{name.lower()}-owner")
        guild = Guild(self._stage, self.do(self._world.new_guild, name, owner.user))
        for bot in bots:
            guild.welcomes(bot)
        return guild

    # What happened

    @property
    def requests(self) -> list[Seen]:
        """Return every request so far, oldest first."""
        return self.do(lambda: list(self._api.seen))

    def requests_per_route(self) -> Counter[str]:
        return Counter(seen.route for seen in self.requests)

    def answers(self, route: str) -> list[int]:
        """Return the statuses that a route was answered with; 0 for none."""
        return [seen.status for seen in self.requests if seen.route == route]

    @property
    def messages_created(self) -> int:
        return self.do(lambda: self._stage.speech.created)

    @property
    def heard(self) -> Counter[str]:
        """Count what came over the gateway: identify, resume, heartbeat, members."""
        return self.do(lambda: Counter(self._gateway.counts))

    @property
    def transports(self) -> Counter[str]:
        """Count connections by their compression."""
        return self.do(lambda: Counter(self._gateway.transports))

    @property
    def connections(self) -> int:
        """Count bots that are connected and have identified or resumed."""
        return self.do(lambda: len(self._hub.lines()))

    def until(self, check: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Wait until `check` returns something true, and return that.

        Raises:
            AssertionError: It did not come true in time.
        """
        ends = time.monotonic() + allowed(seconds)
        while not (found := check()):
            if time.monotonic() > ends:
                raise AssertionError("what a test waited for did not happen")
            with self._changes:
                self._changes.wait(0.01)
        return found

    # Time

    def advance(self, seconds: float) -> None:
        """Put the clock forward: nonces are forgotten, interactions expire."""
        self.do(self._clock.advance, seconds)

    # Faults of the gateway

    def drop_gateway(self, bot: Bot | None = None) -> None:
        """Break connections without a word, as a network does: of one bot, or all."""
        self._each(bot, Line.abort)

    def close_gateway(self, code: int, bot: Bot | None = None) -> None:
        """Close connections with one of Discord's codes."""
        self._each(bot, lambda line: line.close(code))

    def ask_to_reconnect(self, bot: Bot | None = None) -> None:
        """Send op 7, as Discord does every few hours."""
        self._each(bot, lambda line: line.put({"op": RECONNECT, "s": None, "t": None, "d": None}))

    def sends(self, event: str, data: dict[str, Any], bot: Bot) -> None:
        """Send one event as it stands, also one that no client understands."""

        def send() -> None:
            for session in self._hub.of(bot.app):
                session.push(event, data)

        self.do(send)

    def invalidate_session(self, bot: Bot | None = None, *, resumable: bool = False) -> None:
        """Send op 9; a session that is not resumable is forgotten, with all it has missed."""

        def invalidate() -> None:
            for line in self._hub.lines(bot.app if bot else None):
                line.put({"op": 9, "s": None, "t": None, "d": resumable})
            if not resumable:
                self._forget(bot)

        self.do(invalidate)

    def _forget(self, bot: Bot | None) -> None:
        for session in list(self._hub.sessions.values()):
            if bot is None or session.app is bot.app:
                self._hub.end(session)

    @contextmanager
    def gap(self, bot: Bot | None = None) -> Iterator[None]:
        """Have a time that bots never hear of: cut off, and then told that the session is gone."""
        with self.go_away():
            self.do(self._forget, bot)
            yield

    @contextmanager
    def go_away(self, how: Callable[[], None] | None = None) -> Iterator[None]:
        """Cut everybody off; who comes back waits at the door until the block ends.

        `how` may have them leave in another way, such as `ask_to_reconnect`.
        """
        self.do(self._gateway.door.clear)
        (how or self.drop_gateway)()
        self.until(lambda: not self.connections)
        try:
            yield
        finally:
            self.do(self._gateway.door.set)

    @contextmanager
    def go_silent(self, *, for_good: bool) -> Iterator[None]:
        """Leave connections open and pass nothing on, as a router does that lost its table.

        Who notices and comes back waits at the door until the block ends. Then what was held
        arrives after all, if it is not `for_good`.
        """
        self.do(self._gateway.door.clear)
        held = self.do(self._hub.lines)
        self._each(None, lambda line: line.flows.clear())
        try:
            yield
        finally:
            for line in () if for_good else held:
                self.do(line.flows.set)
            self.do(self._gateway.door.set)

    def withhold_acks(self, *, withheld: bool = True) -> None:
        """Answer no heartbeat any more, while the connection stays open."""
        self.do(setattr, self._gateway, "acknowledges", not withheld)

    def beat_every(self, seconds: float) -> None:
        """Ask connections made from now on for a heartbeat so often."""
        self.do(setattr, self._gateway, "heartbeat_interval", int(seconds * 1000))

    def leave_identifies(self, bot: Bot, left: int) -> None:
        """Leave a bot so many IDENTIFYs; one more costs it its token."""
        self.do(setattr, bot.app, "identifies_left", left)

    # Faults of REST

    def rate_limit(self, route: str, seconds: float) -> None:
        """Answer a route with 429 for so long. GLOBAL is every route."""
        self.do(self._api.limits.close, route, seconds)

    def allow(self, route: str, requests: int, seconds: float) -> None:
        """Let a route take so many requests for each place in so many seconds."""
        self.do(self._api.limits.of_route.__setitem__, route, (requests, seconds))

    def allow_over_all(self, requests: int | None) -> None:
        """Let each bot ask so much in a second; Discord's own figure is 50."""
        self.do(setattr, self._api.limits, "over_all", requests)

    def fails(self, route: str | None, status: int = 500, times: int = 1) -> None:
        """Answer the next requests with an error, without acting on them."""
        self.do(self._api.troubles.add, Trouble(Fault.STATUS, route, times, status))

    def cuts(self, route: str | None, fault: Fault = Fault.CUT_AFTER, times: int = 1) -> None:
        """Break the next requests: before they are acted on, after, or amid the answer."""
        self.do(self._api.troubles.add, Trouble(fault, route, times))

    def hangs(self, route: str | None, times: int = 1) -> None:
        """Never answer the next requests."""
        self.do(self._api.troubles.add, Trouble(Fault.HANG, route, times))

    @contextmanager
    def outage(self, status: int = 503) -> Iterator[None]:
        """Have Discord down: no request is acted on, nobody is connected. Sessions survive."""
        self.do(setattr, self._api.troubles, "outage", status)
        try:
            with self.go_away():
                yield
        finally:
            self.do(setattr, self._api.troubles, "outage", None)

    # The server's own thread

    def do(self, work: Callable[..., T], *args: Any) -> T:
        """Run something where the world may be touched, and return what it returned."""

        async def run() -> T:
            try:
                return work(*args)
            finally:
                self._changed()

        return self._wait(run())

    def _each(self, bot: Bot | None, act: Callable[[Line], None]) -> None:
        def run() -> None:
            for line in self._hub.lines(bot.app if bot else None):
                act(line)

        self.do(run)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _changed(self) -> None:
        with self._changes:
            self._changes.notify_all()


__all__ = ["GLOBAL", "Discord"]
