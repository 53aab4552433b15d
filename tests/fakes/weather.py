"""A model server whose behaviour each question asks for, so that many can be mixed.

A question says `weather <kind> <number>`; the server does that on its first try, and on later
tries of odd numbers too. Even numbers are answered the second time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from typing_extensions import override

from tests.fakes.model_server import Behaviour, ModelServer, Seen, _Handler

ANSWER = "The weather will be fair enough for a walk."
DEAR = "fake-dear"
_DATA = b'data: {"model": "fake-chat", "choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n'

KINDS: dict[str, Behaviour] = {
    "drip": Behaviour(text=ANSWER, drip=1.0),
    "cut": Behaviour(text=ANSWER, cut_after=3, gap=0.005),
    "busy-wait": Behaviour(status=429, retry_after="1"),
    "busy": Behaviour(status=429),
    "500": Behaviour(status=500),
    "503": Behaviour(status=503),
    "malformed": Behaviour(raw=b'data: {"choices": [{"delta"\n\n'),
    "trouble-inside": Behaviour(raw=b'data: {"error": {"message": "overloaded"}}\n\n'),
    "no-end": Behaviour(text=ANSWER, with_finish=False, with_usage=False),
    "empty": Behaviour(text=""),
    "huge": Behaviour(raw=_DATA % (b"x" * 10_000_000)),
    "another-model": Behaviour(text=ANSWER, served_model=DEAR, gap=0.002),
}
HEALS = {"busy-wait", "busy", "500", "503", "trouble-inside"}
WELL = Behaviour(text=ANSWER, gap=0.002)


def question(kind: str, number: int) -> str:
    return f"Please tell me what the weather is like today: weather {kind} {number}"


def asked(body: dict[str, Any]) -> tuple[str, int]:
    """Return the kind and the number that a question carries."""
    *_, kind, number = body["messages"][-1]["content"].split()
    return kind, int(number)


class WeatherServer(ModelServer):
    """Answers each question with the weather it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: Counter[tuple[str, int]] = Counter()
        self._server.RequestHandlerClass = _WeatherHandler

    def behaviour_of(self, body: dict[str, Any]) -> Behaviour:
        kind, number = asked(body)
        with self._lock:
            self.tries[kind, number] += 1
            tries = self.tries[kind, number]
        if kind in HEALS and number % 2 == 0 and tries > 1:
            return WELL
        return KINDS.get(kind, WELL)

    def bills(self, prices: dict[str, tuple[int, int]]) -> Counter[tuple[str, int]]:
        """Return what each question cost here, in micros, by the prices of who answered it."""
        bills: Counter[tuple[str, int]] = Counter()
        for seen in self.completions():
            kind, number = asked(seen.body)
            model = KINDS.get(kind, WELL).served_model or str(seen.body["model"])
            tokens_in, tokens_out = prices[model]
            bills[kind, number] += seen.tokens_in * tokens_in + seen.tokens_out * tokens_out
        return bills


class _WeatherHandler(_Handler):
    @override
    def _complete(self, seen: Seen, how: Behaviour) -> None:
        owner = self.server.owner
        assert isinstance(owner, WeatherServer)
        super()._complete(seen, owner.behaviour_of(seen.body))
