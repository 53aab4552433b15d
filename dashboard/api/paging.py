"""Pages by key: stable while rows arrive, and as quick at the end as at the beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.core import signing
from django.db.models import Model, QuerySet
from ninja import Field

from agentapp.foundation.errors import Invalid
from dashboard.api.shapes import Shape

M = TypeVar("M", bound=Model)
T = TypeVar("T")

SALT = "greenroom.api.page"
MAX_LIMIT = 100


class PageIn(Shape):
    """Which page is wanted."""

    cursor: str = Field("", max_length=500, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=MAX_LIMIT)


class Page(Shape, Generic[T]):
    """One page. `next` is absent on the last one."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Rows(Generic[M]):
    """The rows of one page and the cursor after them."""

    rows: list[M]
    next: str | None


def page_of(
    rows: QuerySet[M], page: PageIn, *, name: str, newest_first: bool = True, **filters: object
) -> Rows[M]:
    """Read one page in the order of the primary key.

    Args:
        rows: What the caller may see, filtered.
        page: The wanted page.
        name: The list; a cursor of another list, or of other filters, is refused.
        newest_first: Whether the highest key comes first.
        filters: What the rows were filtered by.
    """
    list_name = _fingerprint(name, filters)
    after = _opened(page.cursor, list_name)
    if after is not None:
        rows = rows.filter(pk__lt=after) if newest_first else rows.filter(pk__gt=after)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: page.limit + 1])
    shown = found[: page.limit]
    return Rows(rows=shown, next=_sealed(shown, list_name) if len(found) > page.limit else None)


def _fingerprint(name: str, filters: dict[str, object]) -> str:
    told = "&".join(f"{key}={value}" for key, value in sorted(filters.items()))
    return f"{name}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _sealed(shown: Sequence[Model], list_name: str) -> str:
    return signing.dumps([list_name, shown[-1].pk], salt=SALT)


def _opened(cursor: str, list_name: str) -> int | None:
    if not cursor:
        return None
    try:
        name, key = signing.loads(cursor, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise Invalid("This cursor is not one of ours.") from error
    if name != list_name:
        raise Invalid("This cursor belongs to another list.")
    return int(key)
