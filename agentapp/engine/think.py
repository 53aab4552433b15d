"""Asks the model for an agent's words, and stops when the agent is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from agentapp.engine.outcomes import Begun
from agentapp.engine.prompt import Prompt
from agentapp.engine.queries.reading import may_go_on
from agentapp.engine.rules.answering import sayable
from agentapp.foundation import live
from agentapp.foundation.errors import AgentError
from agentapp.llm import gateway
from agentapp.llm.gateway import BudgetExhausted, NoProvider, ProviderUnavailable, Stopped

STOP_POLL_SECONDS = 0.5
TOKENS_EVERY_SECONDS = 0.1
TYPING_EVERY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Thought:
    """What came of asking. Exactly one of `text` and `code` is not empty.

    Attributes:
        text: The whole answer, fit to be said.
        code: stopped, half_answer, or the code of what failed.
        error: What failed, in words for the owner.
    """

    text: str = ""
    code: str = ""
    error: str = ""
    cost_micros: int = 0
    latency_ms: int = 0


class Interrupted(AgentError):
    """This process is ending; another one will go on."""


def think(
    *, begun: Begun, prompt: Prompt, is_interrupted: Callable[[], bool] = lambda: False
) -> Thought:
    """Ask once; asking again for the same turn gets the saved answer and costs nothing.

    Calls: one model, outside any transaction and without a database connection. Announces: the
    answer as it is written to `turn:<id>`, which only the agent's owner may hear, and typing in
    the room where the answer goes out at once.

    Raises:
        StillRunning, Overtaken: The same question is open elsewhere; try again later.
        Interrupted: `is_interrupted` said so while the model was writing.
    """
    started = time.monotonic()
    stream = _Stream(begun, prompt)
    try:
        stream.type(on=True)
        answer = gateway.ask(
            workspace_id=begun.turn.workspace_id,
            purpose="reply",
            messages=prompt.messages,
            key=f"turn:{begun.turn.pk}",
            agent_id=begun.turn.agent_id,
            turn_id=begun.turn.pk,
            max_tokens=prompt.max_tokens,
            temperature=prompt.temperature,
            deadline_seconds=prompt.deadline_seconds,
            on_text=stream.take,
            should_stop=_stop_check(begun, is_interrupted),
            # Its lane's fence has moved on since: the worker that asked first can write nothing.
            takes_over=begun.turn.retries > 0,
        )
    except Stopped:
        if is_interrupted():
            raise Interrupted from None
        return Thought(
            code="stopped", error="It was stopped while writing.", latency_ms=_ms_since(started)
        )
    except (BudgetExhausted, NoProvider, ProviderUnavailable) as failure:
        return Thought(code=failure.code, error=failure.message, latency_ms=_ms_since(started))
    finally:
        stream.close()
    text = sayable(answer.text, finish_reason=answer.finish_reason, name=prompt.name)
    if text is None:
        error = "The model's answer ended in the middle, so nothing of it was said."
        return Thought(
            code="half_answer",
            error=error,
            cost_micros=answer.cost_micros,
            latency_ms=_ms_since(started),
        )
    return Thought(text=text, cost_micros=answer.cost_micros, latency_ms=_ms_since(started))


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _stop_check(begun: Begun, is_interrupted: Callable[[], bool]) -> Callable[[], bool]:
    """Return a check that asks the database at most every `STOP_POLL_SECONDS`."""
    asked_at = time.monotonic()  # what was read for the prompt says that it may begin

    def should_stop() -> bool:
        nonlocal asked_at
        if is_interrupted():
            return True
        if time.monotonic() - asked_at < STOP_POLL_SECONDS:
            return False
        asked_at = time.monotonic()
        return not may_go_on(turn=begun.turn, lane=begun.lane)

    return should_stop


class _Stream:
    """Passes an answer on while it is written: a few pieces a second, never to the room."""

    def __init__(self, begun: Begun, prompt: Prompt) -> None:
        self._topic = f"turn:{begun.turn.pk}"
        self._room = f"room:{begun.turn.room_id}" if prompt.shows_typing else ""
        self._agent = str(begun.turn.agent_id)
        self._waiting: list[str] = []
        self._at = 0
        self._sent_at = self._typed_at = time.monotonic()

    def take(self, text: str) -> None:
        """Keep a piece, and send what has gathered when it is time."""
        self._waiting.append(text)
        now = time.monotonic()
        if now - self._sent_at >= TOKENS_EVERY_SECONDS:
            self._send(now)
        if now - self._typed_at >= TYPING_EVERY_SECONDS:
            self.type(on=True)

    def type(self, *, on: bool) -> None:
        """Show in the room that the agent is writing, or no longer."""
        self._typed_at = time.monotonic()
        if self._room:
            live.publish(self._room, typing=self._agent, on=on)

    def close(self) -> None:
        """Send the rest."""
        self._send(time.monotonic())
        self.type(on=False)

    def _send(self, now: float) -> None:
        self._sent_at = now
        text = "".join(self._waiting)
        self._waiting.clear()
        if text:
            live.publish(self._topic, tokens=text, at=self._at)
            self._at += len(text)
