"""Where websockets hang, and from which pages they may be opened."""

from __future__ import annotations

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import path, re_path

from dashboard.consumers import LiveConsumer

websocket_urlpatterns = [
    path("live/", LiveConsumer.as_asgi()),
    # Anything else is turned away quietly instead of leaving a traceback in the log.
    re_path(r"", WebsocketDenier.as_asgi()),
]

# A page of another site must not open a socket with our visitor's cookie.
websocket_application = AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns))
