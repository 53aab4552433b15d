"""Reads a prompt: the one place that knows how the prompts of this host are laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from agentapp.llm.adapters.protocol import ChatMessage, Role
from agentapp.llm.adapters.rehearsal.scene import Said, Scene

MOST_ASKERS = 3  # who are answered in one message

_BLOCK = re.compile(r"<untrusted kind=\"(?P<kind>\w+)\">\n(?P<body>.*?)</untrusted>", re.DOTALL)
_NAME = re.compile(r"^You are (?P<name>.+?), an AI agent", re.MULTILINE)
_INTERESTS = re.compile(r"^You like to talk about: (?P<interests>.+)\.$", re.MULTILINE)


def read(messages: Sequence[ChatMessage]) -> list[Scene]:
    """Return what a prompt says, one scene for each person who waits for an answer.

    The memories of a prompt are those of whoever asked last; nobody else's scene has them. A
    prompt in another form, such as the proof of a key, gives one scene with a question alone.
    """
    system = "\n".join(part.content for part in messages if part.role is Role.SYSTEM)
    asked = "\n".join(part.content for part in messages if part.role is Role.USER)
    blocks = {found["kind"]: _rows(found["body"]) for found in _BLOCK.finditer(asked)}
    name = _NAME.search(system)
    interests = _INTERESTS.search(system)
    answered = _talk(blocks.get("answer", []))
    if not answered:
        return [Scene(name=name["name"] if name else "", question=asked)]
    place = next(iter(blocks.get("place", [])), {})
    people = _words(place.get("people"))
    scenes = [
        Scene(
            name=name["name"] if name else "",
            interests=tuple(interests["interests"].split(", ")) if interests else (),
            memories=_memories(blocks) if question is answered[-1] else (),
            talk=(*_talk(blocks.get("talk", [])), *(s for s in answered if s is not question)),
            present=(*people, *_words(place.get("agents"))),
            asker=question.author,
            question=question.text,
            shares_name=people.count(question.author) > 1,
        )
        for question in _questions(answered)
    ]
    return scenes[-MOST_ASKERS:]


def _questions(answered: Sequence[Said]) -> list[Said]:
    """Return the last message of each writer, in the order they were said."""
    last = {said.author: said for said in answered}
    return [said for said in answered if last[said.author] is said]


def _memories(blocks: dict[str, list[dict[str, object]]]) -> tuple[str, ...]:
    return tuple(str(row.get("text", "")) for row in blocks.get("memories", []))


def _talk(rows: Iterable[dict[str, object]]) -> list[Said]:
    return [
        Said(
            author=str(row.get("from", "")),
            text=str(row.get("text", "")),
            is_agent=bool(row.get("you") or row.get("agent")),
        )
        for row in rows
    ]


def _rows(body: str) -> list[dict[str, object]]:
    """Read lines of JSON; a line that is none is passed over."""
    found = []
    for line in body.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
