"""What models may do with memories: look something up, and keep what somebody has just said."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from agentapp.memory.recall import Recall, recall
from agentapp.memory.services import remember_words
from agentapp.memory.vectors import Asked, embed_asked
from agentapp.tools.registry import Arguments, Tool, register
from agentapp.turns.models import Turn

FOUND_AT_MOST = 8


class RecallArguments(Arguments):
    """What to look for."""

    about: Annotated[str, Field(min_length=2, max_length=300, description="a few words")]


class RememberArguments(Arguments):
    """What to keep."""

    words: Annotated[
        str,
        Field(min_length=3, max_length=300, description="copied word for word from their message"),
    ]


def _recall(turn: Turn, asked: RecallArguments) -> str:
    """Look memories up as for an answer: only what may be heard by this person in this room."""
    (sought,) = embed_asked([Asked(turn.workspace_id, turn.agent_id, asked.about)])
    found = recall(
        Recall(
            agent_id=turn.agent_id,
            person_id=turn.person_id,
            room_id=turn.room_id or 0,
            vector=sought.vector,
            model=sought.model,
            said=asked.about,
            limit=FOUND_AT_MOST,
        )
    )
    if not found:
        return "You remember nothing about that."
    return json.dumps([each.told() for each in found], ensure_ascii=False)


def _remember(turn: Turn, asked: RememberArguments) -> str:
    """Keep words of whoever is being answered, if that person said them in what is answered."""
    if not turn.addressed:
        return "Nobody is speaking to you, so nothing is kept."
    for message_id in turn.context.get("covers", []):
        if remember_words(message_id=message_id, turn_id=turn.pk, words=asked.words):
            return "You will remember that."
    return (
        "Nothing was kept: copy what this person said about themselves, word for word, "
        "from the message you are answering."
    )


register(
    Tool(
        name="recall",
        description="Look up what you remember of the person you are answering.",
        arguments=RecallArguments,
        run=_recall,
    )
)
register(
    Tool(
        name="remember",
        description=(
            "Keep something that the person you are answering has just said about themselves, "
            "so that you know it the next time."
        ),
        arguments=RememberArguments,
        run=_remember,
    )
)
