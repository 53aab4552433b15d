"""Keyset pages: a signed cursor says where the next page starts, however many rows arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from django.core import signing
from django.db.models import Model, QuerySet
from pydantic import Field

from agentapp.foundation.errors import Invalid

M = TypeVar("M", bound=Model)
SALT = "greenroom.api.page"
LIMIT = 100

Limit = Annotated[int, Field(ge=1, le=LIMIT)]


def page(rows: QuerySet[M], *, cursor: str, limit: int) -> dict[str, Any]:
    """Return the newest rows before a cursor, and the cursor of the page after. One query.

    Raises:
        Invalid: The cursor was not made here.
    """
    if cursor:
        rows = rows.filter(pk__lt=_place(cursor))
    found = list(rows.order_by("-pk")[: limit + 1])
    return {"items": found[:limit], "next": _next(found, limit)}


def _next(found: Sequence[Model], limit: int) -> str | None:
    return signing.dumps(found[limit - 1].pk, salt=SALT) if len(found) > limit else None


def _place(cursor: str) -> int:
    try:
        return int(signing.loads(cursor, salt=SALT))
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise Invalid("This cursor is not one of ours. Start without it.") from error
