"""discord.py's client, lean: it keeps nothing that the record keeps, and hands on what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Protocol

import aiohttp
import discord
from typing_extensions import override

from bots.discord.errors import NotReached
from bots.discord.intents import Reads, intents

REFUSED = {401, 403, 429}
BETWEEN_SESSIONS = 5.0  # seconds before a session that follows another; Discord's own pace
READY_SECONDS = 0.5  # without another server, after which all are there
# In which connections may be taken up again and again; beyond it the host waits.
RECONNECTS, RECONNECTS_SECONDS = 6, 60.0


class Ears(Protocol):
    """Whoever listens; nothing here waits for anything, so all stays in its order."""

    def said(self, message: discord.Message) -> None:
        """Hear a message."""

    def changed(self, message: discord.Message) -> None:
        """Hear a message's new words."""

    def deleted(self, channel_id: int, message_ids: list[int]) -> None:
        """Hear that messages are gone."""

    def reacted(self, payload: discord.RawReactionActionEvent) -> None:
        """Hear of an emoji."""

    def renewed(self, guild: discord.Guild) -> None:
        """Hear that a server's channels or rights may have changed."""

    def expelled(self, guild: discord.Guild) -> None:
        """Hear that the bot is no longer in a server."""

    def ready(self, is_new: bool) -> None:
        """Hear that everything is there; before a new session something may have been missed."""

    def asked(self, interaction: discord.Interaction) -> None:
        """Hear a command or a press."""

    def came(self, member: discord.Member) -> None:
        """Hear that somebody came into a server."""

    def went(self, guild_id: int, who: discord.abc.User) -> None:
        """Hear that somebody left a server, or was taken out of it."""


class Gateway(discord.Client):
    """One bot's connection.

    Args:
        begin: Awaited before each new session; may refuse it.
        refused: Called for each request that Discord refused.
    """

    def __init__(
        self,
        *,
        reads: Reads,
        begin: Callable[[], Awaitable[None]],
        refused: Callable[[], None],
    ) -> None:
        super().__init__(
            intents=intents(reads),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=READY_SECONDS,
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=30.0,
            http_trace=_counting(refused),
        )
        self.ears: Ears | None = None
        self.heard_at = time.monotonic()
        self.unable: Exception | None = None
        self._begin = begin
        self._reconnects: list[float] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._open_socket = self.http.ws_connect
        self.http.ws_connect = self._keep_socket  # type: ignore[method-assign]  # for its end

    @override
    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Ask whether one more session may begin, and wait where Discord wants that."""
        await self._begin()
        if not initial:
            await asyncio.sleep(BETWEEN_SESSIONS)

    async def _keep_socket(self, url: str, *, compress: int = 0) -> Any:  # noqa: ANN401
        self._socket = await self._open_socket(url, compress=compress)
        return self._socket

    @override
    async def close(self) -> None:
        """Say goodbye, and shut a socket too on which no session had begun.

        The library knows a socket as its own only from there on.
        """
        try:
            await super().close()
        finally:
            if self._socket is not None:
                await self._socket.close()

    def reconnects_too_often(self) -> bool:
        """Say whether the connection breaks as fast as it is made."""
        since = time.monotonic() - RECONNECTS_SECONDS
        self._reconnects = [at for at in self._reconnects if at > since]
        return len(self._reconnects) > RECONNECTS

    @override
    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Hand an event on; after the goodbye there is nobody to hand it to."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_socket_event_type(self, event_type: str) -> None:
        """Note that something came."""
        self.heard_at = time.monotonic()

    async def on_disconnect(self) -> None:
        """Note that the connection broke."""
        self._reconnects.append(time.monotonic())

    async def on_ready(self) -> None:
        """Pass on that a session began."""
        if self.ears:
            self.ears.ready(True)

    async def on_resumed(self) -> None:
        """Pass on that a session goes on; Discord has sent what was missed, as far as it could."""
        if self.ears:
            self.ears.ready(False)

    async def on_message(self, message: discord.Message) -> None:
        """Pass on a message."""
        if self.ears:
            self.ears.said(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Pass on new words."""
        if self.ears:
            self.ears.changed(payload.message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Pass on a removal."""
        if self.ears:
            self.ears.deleted(payload.channel_id, [payload.message_id])

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Pass on many removals."""
        if self.ears:
            self.ears.deleted(payload.channel_id, sorted(payload.message_ids))

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """Pass on an emoji."""
        if self.ears:
            self.ears.reacted(payload)

    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """Pass on that an emoji was taken away."""
        if self.ears:
            self.ears.reacted(payload)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Pass on a new server."""
        self._renewed(guild)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Pass on a server that is back."""
        self._renewed(guild)

    async def on_guild_update(self, _before: discord.Guild, after: discord.Guild) -> None:
        """Pass on a server's new name."""
        self._renewed(after)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Pass on that the bot is out."""
        if self.ears:
            self.ears.expelled(guild)

    async def on_guild_channel_create(self, channel: discord.abc.GuildChannel) -> None:
        """Pass on a new channel."""
        self._renewed(channel.guild)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Pass on that a channel is gone."""
        self._renewed(channel.guild)

    async def on_guild_channel_update(
        self, _before: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        """Pass on a channel's new name or rights."""
        self._renewed(after.guild)

    async def on_guild_role_update(self, _before: discord.Role, after: discord.Role) -> None:
        """Pass on new rights."""
        self._renewed(after.guild)

    async def on_member_update(self, _before: discord.Member, after: discord.Member) -> None:
        """Pass on that the bot's own roles changed."""
        if self.user is not None and after.id == self.user.id:
            self._renewed(after.guild)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Pass on that a thread is gone."""
        guild = self.get_guild(payload.guild_id)
        if guild is not None:
            self._renewed(guild)

    async def on_member_join(self, member: discord.Member) -> None:
        """Pass on that somebody came."""
        if self.ears:
            self.ears.came(member)

    async def on_raw_member_remove(self, payload: discord.RawMemberRemoveEvent) -> None:
        """Pass on that somebody left; nobody is kept in mind here, so this comes without them."""
        if self.ears:
            self.ears.went(payload.guild_id, payload.user)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Pass on a command or a press."""
        if self.ears:
            self.ears.asked(interaction)

    @override
    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Keep the error: a handler that failed may have lost something, so all is read again."""
        await super().on_error(event_method, *args, **kwargs)
        self.unable = RuntimeError(event_method)

    def _renewed(self, guild: discord.Guild) -> None:
        if self.ears:
            self.ears.renewed(guild)


def own_id(client: discord.Client) -> int:
    """Return a bot's user id.

    Raises:
        NotReached: It is not logged in.
    """
    if client.user is None:
        raise NotReached
    return client.user.id


def ack_age(client: discord.Client) -> float | None:
    """Return seconds since the gateway last answered a heartbeat; None without a connection.

    The library tells only the time between beat and answer, so this looks inside.
    """
    keeper = getattr(client.ws, "_keep_alive", None)
    return time.perf_counter() - float(keeper._last_ack) if keeper else None


def beat_seconds(client: discord.Client) -> float:
    """Return the pause between two heartbeats; 45 s before the gateway said it."""
    keeper = getattr(client.ws, "_keep_alive", None)
    return float(keeper.interval) if keeper else 45.0


def _counting(refused: Callable[[], None]) -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def ended(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams,
    ) -> None:
        response = params.response
        is_shared = response.headers.get("X-RateLimit-Scope") == "shared"
        if response.status in REFUSED and not is_shared:
            refused()

    trace.on_request_end.append(ended)
    return trace
