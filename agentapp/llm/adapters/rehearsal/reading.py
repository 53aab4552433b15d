"""Reads a prompt: the one place that knows how the prompts of this host are laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from agentapp.llm.adapters.protocol import ChatMessage, Role
from agentapp.llm.adapters.rehearsal.scene import Said, Scene

_BLOCK = re.compile(r"<untrusted kind=\"(?P<kind>\w+)\">\n(?P<body>.*?)</untrusted>", re.DOTALL)
_NAME = re.compile(r"^You are (?P<name>.+?), an AI agent", re.MULTILINE)
_INTERESTS = re.compile(r"^You like to talk about: (?P<interests>.+)\.$", re.MULTILINE)


def read(messages: Sequence[ChatMessage]) -> Scene:
    """Return what a prompt says about who asks whom what, where, and with what.

    A prompt in another form, such as the proof of a key, gives a scene with a question alone.
    """
    system = "\n".join(part.content for part in messages if part.role is Role.SYSTEM)
    asked = "\n".join(part.content for part in messages if part.role is Role.USER)
    blocks = {found["kind"]: _rows(found["body"]) for found in _BLOCK.finditer(asked)}
    name = _NAME.search(system)
    interests = _INTERESTS.search(system)
    answered = _talk(blocks.get("answer", []))
    question = answered[-1] if answered else Said("", asked)
    place = next(iter(blocks.get("place", [])), {})
    people = _words(place.get("people"))
    return Scene(
        name=name["name"] if name else "",
        interests=tuple(interests["interests"].split(", ")) if interests else (),
        memories=tuple(str(row.get("text", "")) for row in blocks.get("memories", [])),
        talk=(*_talk(blocks.get("talk", [])), *answered[:-1]),
        present=(*people, *_words(place.get("agents"))),
        asker=question.author,
        question=question.text,
        shares_name=people.count(question.author) > 1,
    )


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
