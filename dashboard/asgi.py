"""What the web server runs: Django for requests, Channels for websockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentapp.config.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()  # sets Django up; what follows needs its models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from agentapp.foundation.collecting import collect_rarely  # noqa: E402
from dashboard.bodies import Bounded  # noqa: E402
from dashboard.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {"http": Bounded(http_application), "websocket": websocket_application}
)
collect_rarely()
