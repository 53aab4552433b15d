"""The baseline of live pages: a Channels consumer in a group, and group_send, with nothing else.

The layer is the one in memory that comes with Channels, which costs less than the one over Redis.
"""

from __future__ import annotations

import django
from django.conf import settings

settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from typing_extensions import override  # noqa: E402

GROUP = "room"


class Listener(AsyncWebsocketConsumer):
    """Tells a group what any of its connections says."""

    @override
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()  # type: ignore[no-untyped-call]

    @override
    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    @override
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data and text_data.startswith('{"id"'):
            await self.channel_layer.group_send(GROUP, {"type": "tell", "text": text_data})

    async def tell(self, event: dict[str, str]) -> None:
        """Pass on what the group was told."""
        await self.send(event["text"])  # type: ignore[no-untyped-call]


application = Listener.as_asgi()  # type: ignore[no-untyped-call]
