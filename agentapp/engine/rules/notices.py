"""The fixed sentences an agent says when it cannot answer."""

from __future__ import annotations

NO_MODEL = "I cannot answer yet: nobody has connected a model for me."
NO_MONEY = "I have used up what I may spend today, so I will be quiet until tomorrow."
NO_ANSWER = "I could not come up with an answer just now. Please try again in a little while."

_BY_CODE = {
    "no_provider": NO_MODEL,
    "budget_exhausted": NO_MONEY,
}


def words_for(code: str) -> str:
    """Return what is said about a failure of this code."""
    return _BY_CODE.get(code, NO_ANSWER)
