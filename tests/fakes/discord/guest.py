"""An unmodified discord.py client in a thread of its own, and everything it was told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from typing_extensions import override

import discord
from tests.pace import allowed

T = TypeVar("T")
PATIENCE = 10.0
# Without members and presences: what most bots ask for.
INTENTS = discord.Intents(
    guilds=True,
    messages=True,
    message_content=True,
    reactions=True,
    typing=True,
)


class Guest:
    """Connects as soon as it is entered.

    Attributes:
        heard: (event, its arguments) of everything the library dispatched, in order.
    """

    def __init__(self, token: str, *, intents: discord.Intents = INTENTS, **options: Any) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self._token = token
        self._options = {"guild_ready_timeout": 0.02} | options | {"intents": intents}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._news = threading.Condition()
        self._running: asyncio.Task[None] | None = None
        self.client: discord.Client

    def __enter__(self) -> Self:
        self._thread.start()
        self.does(self._begin())
        return self

    def __exit__(self, *_exc: object) -> None:
        self.does(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _begin(self) -> None:
        self.client = _Client(self._note, **self._options)
        self._running = asyncio.create_task(self.client.start(self._token))

    async def _end(self) -> None:
        await self.client.close()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=PATIENCE)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def does(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the client's loop and return what it returned."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def ready(self) -> Self:
        """Wait until the client has all its guilds."""
        self.hears("ready")
        return self

    def hears(self, event: str, check: Callable[..., bool] = lambda *_: True) -> Any:
        """Wait for an event that fits, also an earlier one; return its argument or arguments."""
        ends = time.monotonic() + allowed(PATIENCE)
        while True:
            for name, given in list(self.heard):
                if name == event and check(*given):
                    return given[0] if len(given) == 1 else given
            if time.monotonic() > ends:
                names = [name for name, _ in self.heard]
                raise AssertionError(f"never heard {event}; heard last {names[-20:]}")
            with self._news:
                self._news.wait(0.01)

    def texts(self) -> list[str]:
        """Return the texts of all messages it was told of, in order."""
        return [given[0].content for name, given in list(self.heard) if name == "message"]

    def channel(self, channel_id: int) -> discord.PartialMessageable:
        return self.client.get_partial_messageable(channel_id)

    def place(self, channel_id: int) -> Any:
        """Return a channel or thread as the client knows it."""
        return self.client.get_channel(channel_id)

    def fails_with(self) -> BaseException:
        """Wait until the client has given up, and return why."""
        ends = time.monotonic() + allowed(PATIENCE)
        while self._running is None or not self._running.done():
            if time.monotonic() > ends:
                raise AssertionError("the client still runs")
            time.sleep(0.005)
        error = self._running.exception()
        assert error is not None
        return error

    def _note(self, event: str, given: tuple[Any, ...]) -> None:
        with self._news:
            self.heard.append((event, given))
            self._news.notify_all()


class _Client(discord.Client):
    def __init__(self, note: Callable[[str, tuple[Any, ...]], None], **options: Any) -> None:
        super().__init__(**options)
        self._tell = note

    @override
    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self._tell(event, args)
        super().dispatch(event, *args, **kwargs)

    @override
    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait nothing: the five seconds of the library are for Discord."""
