"""Where websockets hang, and from which pages they may be opened."""

from __future__ import annotations

from urllib.parse import urlsplit

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, WebSocketScope
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import path, re_path

from dashboard.consumers import live

_turned_away = WebsocketDenier.as_asgi()
_of_our_pages = AllowedHostsOriginValidator(
    URLRouter(
        [
            path("live/", live),  # type: ignore[arg-type]  # Django thinks of views only
            # Anything else is turned away quietly instead of leaving a traceback in the log.
            re_path(r"", _turned_away),
        ]
    )
)


async def websocket_application(
    scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Serve pages of our own hosts: a socket opened by any page carries its visitor's cookie."""
    is_readable = _is_readable(dict(scope["headers"]).get(b"origin", b""))
    await (_of_our_pages if is_readable else _turned_away)(scope, receive, send)


def _is_readable(origin: bytes) -> bool:
    try:
        return urlsplit(origin.decode("latin-1")).port != 0
    except ValueError:  # Channels would fail on it
        return False
