"""Server-sent events are read however their bytes are cut, and connections are used again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from agentapp.llm.adapters.events import data_of
from agentapp.llm.adapters.openai import OpenAIAdapter
from agentapp.llm.adapters.protocol import ChatMessage, Request, Role, Target, Watch

STREAM = 'event: x\ndata: {"a": 1}\n\n: ping\n\ndata:two\ndata: lines é\n\ndata: unfinished'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_they_arrive(end: str, size: int) -> None:
    raw = STREAM.replace("\n", end).encode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]

    assert list(data_of(pieces)) == ['{"a": 1}', "two\nlines é"]


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    def arriving() -> Iterator[bytes]:
        yield b"data: one\n\n"
        raise AssertionError("it was not waited for")

    assert next(data_of(arriving())) == "one"


def test_what_is_no_text_is_not_passed_over() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(data_of([b"\xff\xfe\n\n"]))


def test_a_connection_that_its_server_closed_meanwhile_is_not_used_again() -> None:
    body = b'data: {"choices": [{"delta": {"content": "Yes"}}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
    ended = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with closing(connection):
                    connection.recv(65_536)
                    connection.sendall(head % len(body) + body)
                ended.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        for _ in range(2):
            ended.clear()
            asked = Request(
                model="any",
                messages=(ChatMessage(Role.USER, "Hello"),),
                max_tokens=5,
                temperature=0.5,
                watch=Watch.lasting(5),
                target=Target("1", base_url=f"http://127.0.0.1:{port}/v1"),
            )
            assert [chunk.text for chunk in OpenAIAdapter().stream(asked)] == ["Yes"]
            assert ended.wait(5)
        thread.join(5)
