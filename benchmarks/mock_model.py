"""A model server that costs almost nothing, for measuring what stands before it.

The model's name says how it answers: `mock-L200-T64-G10000` waits 200 ms and streams 64 tokens,
10,000 µs apart. Every token differs, because some programs take repeated ones for a fault.

    python -m benchmarks.mock_model --port 19020
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re

_NAME = re.compile(r"mock-L(\d+)-T(\d+)-G(\d+)")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _frame(model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({"choices": [choice]}, model)


def _event(members: dict[str, object], model: str) -> bytes:
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model, **members}
    event = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def _tokens(model: str, count: int) -> list[bytes]:
    return [_frame(model, {"content": f"tok{n} "}) for n in range(count)]


_kept: dict[str, list[bytes]] = {}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found.group(1)) if found else 0)
            await _answer(json.loads(body)["model"], writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _answer(model: str, writer: asyncio.StreamWriter) -> None:
    shape = _NAME.search(model)
    latency, count, gap = map(int, shape.groups()) if shape else (0, 1, 0)
    if model not in _kept:
        _kept[model] = _tokens(model, count)
    if latency:
        await asyncio.sleep(latency / 1000)
    writer.write(_HEAD)
    for token in _kept[model]:
        writer.write(token)
        if gap:
            await asyncio.sleep(gap / 1_000_000)
    usage = {"prompt_tokens": 100, "completion_tokens": count, "total_tokens": 100 + count}
    writer.write(_frame(model, {}, "stop"))
    writer.write(_event({"choices": [], "usage": usage}, model))
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()


async def _run(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=19_020)
    asyncio.run(_run(parser.parse_args().port))
