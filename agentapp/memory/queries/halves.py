"""How a vector travels to Postgres: as the 16 bits per number that it stores, not as text."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo
from typing_extensions import override


class Halves:
    """A vector as a parameter that a statement casts to `halfvec`.

    Writing a few hundred numbers as text costs more processor time than finding what is near.
    """

    def __init__(self, vector: Sequence[float]) -> None:
        self.packed = struct.pack(f">HH{len(vector)}e", len(vector), 0, *vector)


class ManyHalves:
    """Vectors as a parameter that a statement casts to `halfvec[]`; None is no vector.

    Args:
        kind: The number that this database gave to `halfvec`; see `take_halves`.
    """

    def __init__(self, vectors: Sequence[Halves | None], *, kind: int) -> None:
        self.vectors = vectors
        head = struct.pack(">iiIii", 1, int(None in vectors), kind, len(vectors), 1)
        self.packed = head + b"".join(
            _NULL if each is None else struct.pack(">i", len(each.packed)) + each.packed
            for each in vectors
        )


_NULL = struct.pack(">i", -1)


class _Packed(Dumper):
    format = Format.BINARY
    oid = 0  # unknown: the cast in the statement says what it is

    @override
    def dump(self, obj: Halves | ManyHalves) -> bytes:
        return obj.packed


class _Written(Dumper):
    """For who wants to read the statement: Django's query log."""

    @override
    def dump(self, obj: Halves) -> bytes:
        return _text(obj).encode()


class _WrittenMany(Dumper):
    @override
    def dump(self, obj: ManyHalves) -> bytes:
        each = ("NULL" if vector is None else f'"{_text(vector)}"' for vector in obj.vectors)
        return f"{{{','.join(each)}}}".encode()


def _text(vector: Halves) -> str:
    count = int.from_bytes(vector.packed[:2], "big")
    numbers = struct.unpack(f">{count}e", vector.packed[4:])
    return f"[{','.join(f'{number:.5g}' for number in numbers)}]"


def take_halves(connection: Connection[Any]) -> int:
    """Let a connection of the driver send vectors; return its database's number of `halfvec`.

    Asks the database once per connection.
    """
    known = connection.adapters.types.get("halfvec")
    if known is None:
        known = TypeInfo.fetch(connection, "halfvec")
        if known is None:
            raise LookupError("This database does not know vectors.")
        known.register(connection)
        for kind, written in ((Halves, _Written), (ManyHalves, _WrittenMany)):
            connection.adapters.register_dumper(kind, written)
            # The last one is taken where both fit.
            connection.adapters.register_dumper(kind, _Packed)
    return known.oid
