"""The proxy does what it says; what is proved through it rests on that."""

from __future__ import annotations

import gc
import socket
import socketserver
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest
from typing_extensions import override

from tests.faults.proxy import Proxy


class Echo(socketserver.BaseRequestHandler):
    """Says everything again."""

    @override
    def handle(self) -> None:
        with suppress(OSError):
            while data := self.request.recv(4096):
                self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        host, port = server.server_address[:2]
        yield str(host), int(port)
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: tuple[str, int]) -> Iterator[Proxy]:
    with Proxy(upstream=echo) as running:
        yield running


def client_of(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(client: socket.socket, text: bytes = b"hello") -> float:
    """Say something and hear it again; return how long that took."""
    begun, heard = time.monotonic(), b""
    client.sendall(text)
    while len(heard) < len(text):
        part = client.recv(4096)
        assert part
        heard += part
    assert heard == text
    return time.monotonic() - begun


def test_it_passes_everything_on(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client, b"x" * 300_000)


def test_a_cut_ends_connections_and_takes_none_until_it_is_over(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client)
        proxy.cut()
        assert client.recv(1) == b""
    with client_of(proxy) as refused, pytest.raises((OSError, AssertionError)):
        said(refused)
    proxy.restore()
    with client_of(proxy) as client:
        said(client)


def test_a_reset_is_one(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_delay_and_a_drip_take_their_time_and_lose_nothing(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        proxy.delay(0.1)
        assert said(client) >= 0.2  # there and back
        proxy.restore()
        proxy.drip(20_000)
        assert said(client, b"y" * 4_000) >= 0.2


def test_a_stall_says_nothing_and_goes_on_where_it_was(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client)
        proxy.stall()
        client.settimeout(0.1)
        client.sendall(b"late")
        with pytest.raises(TimeoutError):
            client.recv(4)
        proxy.restore()
        client.settimeout(5)
        assert client.recv(4) == b"late"


def test_it_leaves_no_connection_behind_however_full_it_was(echo: tuple[str, int]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        with Proxy(upstream=echo) as proxy, client_of(proxy) as client:
            client.settimeout(0.2)
            with suppress(TimeoutError):
                while True:
                    client.sendall(b"z" * 100_000)  # and hears nothing of what comes back
        gc.collect()
    assert [str(each.message) for each in told if "transport" in str(each.message)] == []
