"""How a decision's reasons are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

MAX_REASON = 200  # characters


class Weight(StrEnum):
    """What a reason speaks for."""

    YES = "yes"
    NO = "no"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence on why an agent acts or stays silent; `code` is for programs."""

    kind: Weight
    code: str
    words: str


def stored(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Return reasons as they stand in a turn's row: `kind`, `code` and `words` each."""
    return [
        {**asdict(each), "kind": str(each.kind), "words": each.words[:MAX_REASON]}
        for each in reasons
    ]
