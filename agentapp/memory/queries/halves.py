"""How a vector travels to Postgres: as the 16 bits per number that it stores, not as text."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format
from typing_extensions import override


class Halves:
    """A vector as a parameter that a statement casts to `halfvec`.

    Writing a few hundred numbers as text costs more processor time than finding what is near.
    """

    def __init__(self, vector: Sequence[float]) -> None:
        self.packed = struct.pack(f">HH{len(vector)}e", len(vector), 0, *vector)


class _Packed(Dumper):
    format = Format.BINARY
    oid = 0  # unknown: the cast in the statement says what it is

    @override
    def dump(self, obj: Halves) -> bytes:
        return obj.packed


class _Written(Dumper):
    """For who wants to read the statement: Django's query log."""

    @override
    def dump(self, obj: Halves) -> bytes:
        count = int.from_bytes(obj.packed[:2], "big")
        numbers = struct.unpack(f">{count}e", obj.packed[4:])
        return f"[{','.join(f'{number:.5g}' for number in numbers)}]".encode()


def take_halves(connection: AdaptContext) -> None:
    """Let a connection of the driver send `Halves`."""
    connection.adapters.register_dumper(Halves, _Written)
    connection.adapters.register_dumper(Halves, _Packed)  # the last one is taken where both fit
