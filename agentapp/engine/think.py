"""Asks the model for an agent's words, lets it use tools, and stops when the agent is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from agentapp.drafts.tools import ATTACH
from agentapp.engine.outcomes import Begun
from agentapp.engine.prompt import Prompt
from agentapp.engine.queries.reading import may_go_on
from agentapp.engine.rules.answering import sayable
from agentapp.foundation import live
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.errors import AgentError
from agentapp.llm import gateway
from agentapp.llm.gateway import (
    Answer,
    BudgetExhausted,
    ChatMessage,
    NoProvider,
    ProviderUnavailable,
    Role,
    Stopped,
    ToolSpec,
)
from agentapp.tools.dispatcher import Asked, dispatch

STOP_POLL_SECONDS = 0.5
LEAST_SECONDS = 1.0  # for a question after tools took their time
TOKENS_EVERY_SECONDS = 0.1
TYPING_EVERY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Thought:
    """What came of asking. Exactly one of `text` and `code` is not empty.

    Attributes:
        text: The whole answer, fit to be said.
        code: stopped, half_answer, or the code of what failed.
        error: What failed, in words for the owner.
        steps: How often the model was asked; more than once where it used tools.
        carries: It wrote files that go out with the text.
    """

    text: str = ""
    code: str = ""
    error: str = ""
    cost_micros: int = 0
    latency_ms: int = 0
    steps: int = 1
    carries: bool = False


class Interrupted(AgentError):
    """This process is ending; another one will go on."""


def think(
    *, begun: Begun, prompt: Prompt, is_interrupted: Callable[[], bool] = lambda: False
) -> Thought:
    """Ask, with a few steps of tools; asking again for the same turn gets the saved answers.

    Calls: one model, and the tools that it asks for; outside any transaction, and while the model
    writes without a database connection. Announces: the answer as it is written to `turn:<id>`,
    which only the agent's owner may hear, and typing in the room where it goes out at once.

    Raises:
        StillRunning, Overtaken: The same question is open elsewhere; try again later.
        Interrupted: `is_interrupted` said so while the model was writing.
    """
    started = time.monotonic()
    asking = _Asking(begun, prompt, _stop_check(begun, is_interrupted))
    try:
        answer = asking.answered()
    except Stopped:
        if is_interrupted():
            raise Interrupted from None
        return asking.ended(started, code="stopped", error="It was stopped while writing.")
    except (BudgetExhausted, NoProvider, ProviderUnavailable) as failure:
        return asking.ended(started, code=failure.code, error=failure.message)
    finally:
        asking.stream.close()
    text = sayable(answer.text, finish_reason=answer.finish_reason, name=prompt.name)
    if text is None:
        error = "The model's answer ended in the middle, so nothing of it was said."
        return asking.ended(started, code="half_answer", error=error)
    return asking.ended(started, text=text)


class _Asking:
    """One thought's questions: the model may use tools for a few steps, and then has to talk."""

    def __init__(self, begun: Begun, prompt: Prompt, should_stop: Callable[[], bool]) -> None:
        self.stream = _Stream(begun, prompt)
        self._turn = begun.turn
        self._prompt = prompt
        self._should_stop = should_stop
        self._messages = list(prompt.messages)
        self._specs = [
            ToolSpec(tool.name, tool.description, tool.schema) for tool in prompt.tools.values()
        ]
        self._deadline = time.monotonic() + prompt.deadline_seconds
        self._cost_micros = 0
        self._steps = 0
        self._carries = False

    def answered(self) -> Answer:
        """Ask until the model answers in words; what tools say goes into the next question."""
        self.stream.type(on=True)
        while True:
            self._steps += 1
            answer = self._asked()
            self._cost_micros += answer.cost_micros
            if not answer.requests or self._steps == self._prompt.most_steps:
                return answer
            self._use_tools(answer)

    def _asked(self) -> Answer:
        # Its lane's fence has moved on since: the worker that asked first can write nothing.
        takes_over = self._turn.retries > 0
        is_first = self._steps == 1
        return gateway.ask(
            workspace_id=self._turn.workspace_id,
            purpose="reply",
            messages=self._messages,
            key=f"turn:{self._turn.pk}" if is_first else f"turn:{self._turn.pk}:{self._steps}",
            agent_id=self._turn.agent_id,
            turn_id=self._turn.pk,
            max_tokens=self._prompt.max_tokens,
            temperature=self._prompt.temperature,
            deadline_seconds=max(self._deadline - time.monotonic(), LEAST_SECONDS),
            on_text=self.stream.take,
            should_stop=self._should_stop,
            takes_over=takes_over,
            tools=self._specs,
            must_talk=self._steps == self._prompt.most_steps,
        )

    def _use_tools(self, answer: Answer) -> None:
        self._messages.append(ChatMessage(Role.ASSISTANT, answer.text, requests=answer.requests))
        for ordinal, request in enumerate(answer.requests):
            asked = Asked(self._steps, ordinal, request.name, request.arguments)
            self._carries |= request.name == ATTACH
            with fresh_connection():
                told = dispatch(turn=self._turn, asked=asked, tools=self._prompt.tools)
            self._messages.append(ChatMessage(Role.TOOL, told, answers=request.id))

    def ended(self, started: float, *, text: str = "", code: str = "", error: str = "") -> Thought:
        """Return what came of asking."""
        return Thought(
            text=text,
            code=code,
            error=error,
            cost_micros=self._cost_micros,
            latency_ms=int((time.monotonic() - started) * 1000),
            steps=self._steps,
            carries=self._carries,
        )


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
        live.publish_all(self._typing(on=on))

    def close(self) -> None:
        """Send the rest, and that nothing more comes."""
        live.publish_all([*self._tokens(), *self._typing(on=False)])

    def _send(self, now: float) -> None:
        self._sent_at = now
        live.publish_all(self._tokens())

    def _tokens(self) -> list[tuple[str, dict[str, object]]]:
        text = "".join(self._waiting)
        self._waiting.clear()
        if not text:
            return []
        at, self._at = self._at, self._at + len(text)
        return [(self._topic, {"tokens": text, "at": at})]

    def _typing(self, *, on: bool) -> list[tuple[str, dict[str, object]]]:
        return [(self._room, {"typing": self._agent, "on": on})] if self._room else []
