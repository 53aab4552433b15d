"""The three ways in which the gateway packs its payloads."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import zstandard

Packer = Callable[[dict[str, Any]], bytes | str]


def packer(compress: str) -> Packer:
    """Return what packs the payloads of one connection: compression runs on from one to the next.

    Raises:
        KeyError: Nobody knows this transport.
    """
    return {"": _plain, "zlib-stream": _zlib, "zstd-stream": _zstd}[compress]()


def _written(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False)


def _plain() -> Packer:
    return _written


def _zlib() -> Packer:
    stream = zlib.compressobj()

    def pack(payload: dict[str, Any]) -> bytes:
        return stream.compress(_written(payload).encode()) + stream.flush(zlib.Z_SYNC_FLUSH)

    return pack


def _zstd() -> Packer:
    stream = zstandard.ZstdCompressor().compressobj()

    def pack(payload: dict[str, Any]) -> bytes:
        data = stream.compress(_written(payload).encode())
        return data + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    return pack
