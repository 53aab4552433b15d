"""What a thought read, block by block, with only the parts its viewer may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.identity.models import BlueprintVersion, User
from agentapp.identity.policy import visible
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn
from dashboard.presenters.faces import identity_face
from dashboard.presenters.files import words_of
from dashboard.presenters.messages import shortened

LINE_CHARACTERS = 280


class SourceLine(NamedTuple):
    """One thing that was read, with where it stands."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class SourceShown:
    """One block of what was read."""

    title: str
    size: str
    lines: list[SourceLine]


def show_sources(user: User, turns: Sequence[Turn]) -> dict[int, list[SourceShown]]:
    """Return what each thought read; three queries for any number of thoughts.

    Ids come from the thought's record; the rows behind them are read as this user may see them
    now, so that a deleted message or a withdrawn memory is not told again.
    """
    messages = visible(Message, user).select_related("author").in_bulk(_ids(turns, "messages"))
    memories = visible(Memory, user).in_bulk(_ids(turns, "memories"))
    versions = visible(BlueprintVersion, user).in_bulk(_ids(turns, "version"))
    return {
        turn.pk: [
            source
            for source in (
                _version(turn, versions),
                _messages(turn, messages),
                _memories(turn, memories),
            )
            if source is not None
        ]
        for turn in turns
    }


def _ids(turns: Sequence[Turn], block: str) -> set[int]:
    return {pk for turn in turns for pk in block_ids(turn.context, block)}


def block_ids(context: Mapping[str, object], block: str) -> list[int]:
    """Return the ids that a thought's record names for one block; a single id counts as a list."""
    named = context.get(block, [])
    listed = named if isinstance(named, list) else [named]
    return [pk for pk in listed if isinstance(pk, int) and not isinstance(pk, bool)]


def _version(turn: Turn, versions: Mapping[int, BlueprintVersion]) -> SourceShown | None:
    found = [versions[pk] for pk in block_ids(turn.context, "version") if pk in versions]
    if not found:
        return None
    text = shortened(str(found[0].spec.get("instructions", "")), 1_000)
    return SourceShown(
        title=f"Personality, version {found[0].n}", size="", lines=[SourceLine(text)]
    )


def _messages(turn: Turn, messages: Mapping[int, Message]) -> SourceShown | None:
    ids = block_ids(turn.context, "messages")
    lines = []
    for pk in ids:
        message = messages.get(pk)
        if message is None or message.deleted_at is not None:
            continue
        room = reverse("room", args=[message.room_id])
        name = identity_face(message.author).name
        text = f"{name}: {shortened(words_of(message.text, message.file_count), LINE_CHARACTERS)}"
        lines.append(SourceLine(text, f"{room}#message-{pk}"))
    return SourceShown(title="Recent messages", size=str(len(ids)), lines=lines) if ids else None


def _memories(turn: Turn, memories: Mapping[int, Memory]) -> SourceShown | None:
    ids = block_ids(turn.context, "memories")
    lines = [
        SourceLine(shortened(memories[pk].text, LINE_CHARACTERS))
        for pk in ids
        if pk in memories and memories[pk].withdrawn_at is None
    ]
    return SourceShown(title="Memories", size=str(len(ids)), lines=lines) if ids else None
