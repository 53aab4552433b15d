"""Reads what answers are made of, for all that are thought of at one moment."""

from __future__ import annotations

from collections.abc import Sequence

from agentapp.engine.prompt import Prompt, Written, written
from agentapp.engine.queries.contents import with_contents
from agentapp.engine.queries.reading import Reading, read_for_answers
from agentapp.foundation.gathering import Gathered
from agentapp.memory.recall import Recall, recall_all
from agentapp.memory.rules import Recalled
from agentapp.memory.vectors import Asked, Sought, embed_asked
from agentapp.turns import services as turns
from agentapp.turns.models import Turn

QUERY_CHARACTERS = 2_000  # of what is said, to find fitting memories
MOST_AT_ONCE = 16  # an embedding takes milliseconds, and all wait for all of them


def assemble(*, turn: Turn) -> Prompt | None:
    """Put together what an answer is made of.

    Reads: blueprint, bond, room, recent messages within the agent's presence and what came with
    them, memories that may be heard there. Calls: the local embedding model, outside any
    transaction. Writes: Turn (context: the ids that were read; taint: whose words they are).

    Returns:
        None when nothing is left to answer.

    Raises:
        TurnTaken: Another worker goes on with it.
    """
    return _assemble_together(turn)


def _assemble(asked: Sequence[Turn]) -> list[Prompt | None]:
    readings = [each and with_contents(each) for each in read_for_answers(asked)]
    sought = iter(
        embed_asked(
            [
                Asked(turn.workspace_id, turn.agent_id, _said(reading))
                for turn, reading in zip(asked, readings, strict=True)
                if reading
            ]
        )
    )
    looked_for = [
        (turn, reading, next(sought))
        for turn, reading in zip(asked, readings, strict=True)
        if reading
    ]
    memories = _memories(looked_for)
    made = [
        _written(turn, reading, memories.get(turn.pk, [])) if reading else None
        for turn, reading in zip(asked, readings, strict=True)
    ]
    turns.note_contexts(
        [_noted(turn, each) for turn, each in zip(asked, made, strict=True) if each is not None]
    )
    return [each.prompt if each else None for each in made]


_assemble_together = Gathered(_assemble, most=MOST_AT_ONCE)


def _said(reading: Reading) -> str:
    """Return what memories are looked for by; "" where none are wanted."""
    if int(reading.limits["memories"]) < 1:
        return ""
    return "\n".join(message.text for message in reading.answered)[-QUERY_CHARACTERS:]


def _memories(looked_for: Sequence[tuple[Turn, Reading, Sought]]) -> dict[int, list[Recalled]]:
    """Return what enters each turn's prompt, by turn; nothing where none are wanted."""
    asked = {
        turn.pk: Recall(
            agent_id=turn.agent_id,
            person_id=turn.person_id,
            room_id=reading.room.pk,
            vector=sought.vector,
            model=sought.model,
            said=_said(reading),
            limit=int(reading.limits["memories"]),
        )
        for turn, reading, sought in looked_for
        if _said(reading)
    }
    return dict(zip(asked, recall_all(list(asked.values())), strict=True))


def _written(turn: Turn, reading: Reading, memories: Sequence[Recalled]) -> Written:
    return written(
        reading, memories, addressed=turn.addressed, through=int(turn.context["through"])
    )


def _noted(turn: Turn, made: Written) -> turns.Context:
    return turns.Context(
        turn=turn,
        context={
            "version": made.reading.agent.version_id,
            "messages": [message.pk for message in [*made.talk, *made.reading.answered]],
            "memories": [memory.id for memory in made.memories],
            "people": sorted(made.reading.bonds),
        },
        taint=made.taint,
    )
