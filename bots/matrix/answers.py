"""What a homeserver's answer means: a success, or one of our failures."""

from __future__ import annotations

from collections.abc import Mapping

from bots.matrix.errors import LOST_LOGIN, Faltering, Limited, LoginLost, Rejected
from bots.matrix.wire import Answer

DEFAULT_REST = 5.0  # seconds, when a homeserver does not say how long
LONGEST_REST = 600.0  # seconds; whatever it says


def raise_for(answer: Answer) -> None:
    """Raise what an answer means unless it is a success."""
    if 200 <= answer.status < 300:
        return
    said = answer.json()
    code = said.get("errcode")
    code = code[:60] if isinstance(code, str) else ""
    if answer.status == 429 or code == "M_LIMIT_EXCEEDED":
        raise Limited(_rest(said, answer.retry_after))
    if code in LOST_LOGIN:
        raise LoginLost(code, is_soft=said.get("soft_logout") is True)
    if answer.status >= 500 or answer.status < 400:
        raise Faltering
    raise Rejected(code or f"HTTP {answer.status}", answer.status)


def _rest(said: Mapping[str, object], header: str) -> float:
    """Return how many seconds a homeserver wants to be left alone."""
    asked = said.get("retry_after_ms")
    if header.isdigit():
        seconds = float(header[:6])
    elif isinstance(asked, (int, float)) and not isinstance(asked, bool):
        seconds = float(min(max(asked, 0), LONGEST_REST * 1000)) / 1000
    else:
        seconds = DEFAULT_REST
    return min(seconds, LONGEST_REST) if seconds == seconds else DEFAULT_REST  # noqa: PLR0124
