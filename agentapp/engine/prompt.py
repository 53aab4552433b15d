"""What a model is asked for an answer: its words, and what follows from whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template import engines

from agentapp.conversation.models import Message
from agentapp.engine import spec
from agentapp.engine.queries.reading import Reading, local_time
from agentapp.engine.quoting import data, told
from agentapp.engine.rules import fitting
from agentapp.engine.rules.freshness import minutes_away
from agentapp.files.pictures import media_type
from agentapp.identity.models import Identity, Room
from agentapp.llm.gateway import ChatMessage, Picture, Role
from agentapp.memory.rules import Recalled, memorable_sentences
from agentapp.relations import rules as relations
from agentapp.tools.registry import Tool

MONOLOGUE = 5  # messages of one person in a row without an answer of the agent between them

STRANGERS, MEMBERS, AGENTS, BOTS = "strangers", "members", "other agents", "bots"
# Whose words may try to steer an agent; what they led to says so on its card.
SWAYING = frozenset({STRANGERS, AGENTS, BOTS})


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked, and what that says about the answer.

    Attributes:
        telling: The answered messages that tell something of their writers, by id.
    """

    messages: tuple[ChatMessage, ...]
    room: Room
    name: str
    telling: tuple[int, ...]
    temperature: float
    max_tokens: int
    deadline_seconds: float
    through: int
    tainted: bool
    is_monologue: bool
    shows_typing: bool
    tools: Mapping[str, Tool[Any]]
    most_steps: int


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt, and what went into it."""

    prompt: Prompt
    reading: Reading
    talk: Sequence[Message]
    memories: Sequence[Recalled]
    taint: Sequence[str]


def written(
    reading: Reading, memories: Sequence[Recalled], *, addressed: bool, through: int
) -> Written:
    """Write the prompt for an answer from what was read for it.

    Args:
        reading: Everything but memories.
        memories: The best first; those that do not fit are left out.
        addressed: Somebody waits for the answer.
        through: Last message id that was decided on.
    """
    parts = _Parts(reading, addressed=addressed)
    talk, fitted = parts.fitted(memories)
    taint = _taint(reading, [*talk, *reading.answered])
    prompt = Prompt(
        messages=parts.messages(talk, fitted),
        room=reading.room,
        name=reading.agent.name,
        telling=tuple(each.pk for each in reading.answered if memorable_sentences(each.text)),
        temperature=spec.temperature(reading.agent),
        max_tokens=spec.max_tokens(reading.agent),
        deadline_seconds=reading.limits["answer_seconds"],
        through=through,
        tainted=bool(SWAYING & set(taint)),
        is_monologue=_is_monologue(reading),
        shows_typing=_goes_out_at_once(reading),
        tools={tool.name: tool for tool in parts.tools},
        most_steps=max(int(reading.limits["tool_steps"]), 1),
    )
    return Written(prompt, reading, talk, fitted, taint)


class _Parts:
    """The parts of one prompt as text, with every foreign word inside a line of JSON."""

    def __init__(self, reading: Reading, *, addressed: bool) -> None:
        self._reading = reading
        self._addressed = addressed
        self.tools = spec.tools(reading.agent) if reading.limits["tool_steps"] > 1 else []
        self._system = _rendered(
            "reply_system.txt",
            agent=reading.agent.name,
            owner=str(reading.agent.owner),
            instructions=spec.instructions(reading.agent),
            interests=", ".join(spec.words(reading.agent, "interests")),
            languages=", ".join(spec.words(reading.agent, "languages")),
            tools=", ".join(tool.name for tool in self.tools),
            files=any(message.file_count for message in [*reading.talk, *reading.answered]),
        )
        self._answer = [
            self._line(message, limit=fitting.MAX_ANSWER_LINE) for message in reading.answered
        ]
        self._place = data(
            room=str(reading.room),
            kind=_kind(reading.room),
            time=local_time(reading),
            people=reading.people,
            agents=reading.agents,
        )
        self._people = list(self._bonds())

    def fitted(self, memories: Sequence[Recalled]) -> tuple[list[Message], list[Recalled]]:
        """Choose the newest talk and the best memories that fit beside the fixed parts."""
        fixed = [self._system, self._user([], []), self._place, *self._answer, *self._people]
        left = int(self._reading.limits["context_tokens"]) - sum(map(fitting.tokens, fixed))
        newest = self._reading.talk[::-1]
        lines = [self._line(message) for message in newest]
        count = fitting.first_that_fit(lines, budget=int(left * fitting.TALK_SHARE))
        left -= sum(map(fitting.tokens, lines[:count]))
        fitting_memories = fitting.first_that_fit([_remembered(m) for m in memories], budget=left)
        return newest[:count][::-1], list(memories[:fitting_memories])

    def messages(
        self, talk: Sequence[Message], memories: Sequence[Recalled]
    ) -> tuple[ChatMessage, ...]:
        """Return the prompt: what is trusted in one part, what was said in the other."""
        return (
            ChatMessage(Role.SYSTEM, self._system),
            ChatMessage(
                Role.USER,
                self._user([self._line(m) for m in talk], [_remembered(m) for m in memories]),
                pictures=tuple(
                    Picture(media_type(content), content)
                    for content in self._reading.pictures.values()
                ),
            ),
        )

    def _user(self, talk: list[str], memories: list[str]) -> str:
        return _rendered(
            "reply_user.txt",
            agent=self._reading.agent.name,
            place=self._place,
            people=self._people,
            memories=memories,
            talk=talk,
            answer=self._answer,
            addressed=self._addressed,
            away=_minutes_away(self._reading),
        )

    def _line(self, message: Message, *, limit: int = fitting.MAX_TALK_LINE) -> str:
        author = message.author or Identity()
        fields: dict[str, object] = {"from": author.name}
        if author.agent_id == self._reading.agent.pk:
            fields["you"] = True
        elif author.agent_id is not None or author.kind == Identity.Kind.BOT:
            fields["agent"] = True
        if message.reply_to is not None and message.reply_to.author is not None:
            fields["to"] = message.reply_to.author.name
        if message.file_count:
            reading = self._reading
            fields["files"] = told(message, excerpts=reading.excerpts, pictures=reading.pictures)
        return data(**fields, text=fitting.clipped(message.text, limit=limit))

    def _bonds(self) -> Iterable[str]:
        seen: set[int] = set()
        for message in self._reading.answered:
            author = message.author
            if author is None or author.person_id is None or author.person_id in seen:
                continue
            seen.add(author.person_id)
            bond = self._reading.bonds.get(author.person_id)
            yield data(
                name=author.name, between_you=relations.in_words(bond, now=self._reading.now)
            )


def _taint(reading: Reading, messages: Iterable[Message]) -> list[str]:
    """Name whose untrusted words were read; the agent's own and its owner's are not untrusted."""
    origins = set()
    for message in messages:
        author = message.author
        if author is None or author.agent_id == reading.agent.pk:
            continue
        if author.user_id == reading.agent.owner_id:
            continue
        if author.agent_id is not None:
            origins.add(AGENTS)
        elif author.kind == Identity.Kind.BOT:
            origins.add(BOTS)
        else:
            bond = reading.bonds.get(author.person_id or 0)
            trust = relations.current_trust(bond, now=reading.now) if bond else 0.0
            origins.add(STRANGERS if relations.level(trust) == 1 else MEMBERS)
    return sorted(origins)


def _is_monologue(reading: Reading) -> bool:
    asker = reading.answered[-1].author_id
    run = 0
    for message in sorted([*reading.talk, *reading.answered], key=lambda each: -each.pk):
        author = message.author
        if author is not None and author.agent_id == reading.agent.pk:
            break
        run += message.author_id == asker
    return run >= MONOLOGUE


def _minutes_away(reading: Reading) -> int:
    last = reading.answered[-1]
    return minutes_away((reading.now - last.sent_at).total_seconds() / 60)


def _goes_out_at_once(reading: Reading) -> bool:
    """Say whether members will see the answer as soon as it is written."""
    own_rule = reading.agent.approval_rules.get("message")
    if own_rule in {"auto", "owner"}:
        return bool(own_rule == "auto")
    return reading.room.reply_mode == Room.ReplyMode.OWN


def _kind(room: Room) -> str:
    if room.kind == Room.Kind.DIRECT:
        return "a direct talk, read by nobody else but those who run you"
    if room.visibility == Room.Visibility.PUBLIC:
        return "a public room"
    return "a private room"


def _remembered(memory: Recalled) -> str:
    return data(**memory.told())


def _rendered(template: str, **context: object) -> str:
    return engines["prompts"].get_template(template).render(context)
