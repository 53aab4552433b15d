"""What the web server runs serves pages and sockets alike."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from tests.cast import Cast
from tests.dashboard.live.sockets import headers_of, run, session_of


@pytest.fixture
def application() -> Iterator[Any]:
    thresholds = gc.get_threshold()
    # The web server finds the folder made by `collectstatic`; it reads it while it is imported.
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    yield importlib.import_module("dashboard.asgi").application
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def scope(kind: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": kind,
        "path": path,
        "query_string": b"",
        "headers": headers,
        "subprotocols": [],
        "method": "GET",
        "http_version": "1.1",
    }


@pytest.mark.parametrize(("path", "status"), [("/health/live", 200), ("/live/", 404)])
def test_requests_go_to_django(live_cast: Cast, application: Any, path: str, status: int) -> None:
    async def work() -> None:
        wire = ApplicationCommunicator(application, scope("http", path, headers_of("")))
        await wire.send_input({"type": "http.request"})
        answer = await wire.receive_output(timeout=10)
        assert answer["status"] == status
        await wire.wait(timeout=10)

    run(work)


def test_sockets_go_to_the_hub(live_cast: Cast, application: Any) -> None:
    headers = headers_of(session_of(live_cast.root))

    async def work() -> None:
        wire = ApplicationCommunicator(application, scope("websocket", "/live/", headers))
        await wire.send_input({"type": "websocket.connect"})
        assert (await wire.receive_output(timeout=10))["type"] == "websocket.accept"
        await wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await wire.wait(timeout=10)

    run(work)
