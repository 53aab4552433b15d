"""The text of a statement with places for its arguments.

What never changes stands in the text itself. Were it sent along, the server could not tell at
planning time that, say, only queued rows are wanted, and could not use an index over just these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from psycopg import RawCursor, adapters, sql
from psycopg.pq import Format
from psycopg.types.numeric import Int8Dumper
from typing_extensions import override

from agentapp.foundation.prepared.arguments import Given
from agentapp.foundation.prepared.arrays import list_sent

# By default a small number is sent as another type than a large one, and the same text planned
# anew for each mixture of them.
adapters.register_dumper(int, Int8Dumper)

_MOMENT = adapters.types["timestamptz"].oid
_MOMENTS: Any = adapters.get_loader(_MOMENT, Format.TEXT)
_ONLY_WHEN_ASKED = 1_000_000_000  # times that any other statement is seen before it is kept
_KEPT = 1_000  # plans per connection; far more than there are texts


@dataclass(frozen=True, slots=True)
class Text:
    """A statement cut at the places of its arguments.

    Attributes:
        parts: What stands before, between and after the arguments, ready for the driver.
        names: The arguments in the order of their places, one fewer than the parts.
    """

    parts: tuple[str, ...]
    names: tuple[str, ...]

    def for_one(self) -> str:
        """Return the text for the arguments of one call."""
        return "%s".join(self.parts)

    def with_places(self, place: Callable[[str], str]) -> str:
        """Return the text with `place(name)` where an argument stands."""
        first, *rest = self.parts
        pairs = zip(self.names, rest, strict=True)
        return first + "".join(place(name) + part for name, part in pairs)


def text_of(compiled: str, slots: Sequence[object]) -> Text:
    """Put everything but arguments into the text that Django compiled; needs a connection."""
    connection.ensure_connection()
    first, *rest = compiled.split("%s")
    parts, names = [first], []
    for slot, part in zip(slots, rest, strict=True):
        if isinstance(slot, Given):
            names.append(slot.value)
            parts.append(part)
        else:
            parts[-1] += _literal(slot) + part
    return Text(tuple(parts), tuple(names))


def _literal(value: object) -> str:
    written = sql.Literal(value).as_string(connection.connection)
    return written.replace("%", "%%")


_PLACE = re.compile(r"%(?:%|s|\((\w+)\)s)")


@cache
def _native(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with the server's own places, and the names of its arguments, if any.

    The driver would look for places anew at every call where a text is longer than a page.
    """
    names: dict[str, int] = {}
    places = count(1)

    def native(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] is None:
            return f"${next(places)}"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PLACE.sub(native, query), tuple(names)


class _Planned(RawCursor[Any]):
    """Asks the server to keep the plan of whatever it runs."""

    @override
    def execute(self, query: Any, params: Any = None, **_options: Any) -> Self:
        text, names = _native(query)
        given = [params[name] for name in names] if names else params or ()
        sent = [list_sent(each) if isinstance(each, list) else each for each in given]
        return super().execute(text, sent, prepare=True)


@contextmanager
def planned(*, reads_moments: bool = False) -> Iterator[CursorWrapper]:
    """Give a cursor for statements with few, fixed texts: each is planned once per connection.

    The plan does not depend on the arguments. All other statements go with Django's own cursor.

    Args:
        reads_moments: Many moments are read: by the driver's own reader. Django's gives the same
            and takes ten times as long for each, but nothing has to be set up for it.
    """
    here = connections[DEFAULT_DB_ALIAS]  # looked up once: each time costs as much as a small call
    here.ensure_connection()
    raw: Any = here.connection
    if raw.prepare_threshold is None:
        raw.prepare_threshold, raw.prepared_max = _ONLY_WHEN_ASKED, _KEPT
    own = _Planned(raw)
    if reads_moments:
        own.adapters.register_loader(_MOMENT, _MOMENTS)
    with here._prepare_cursor(own) as cursor:  # type: ignore[attr-defined]  # as Django's
        yield cursor
