"""What models may do to a room besides talking: an emoji on what they answer, a file with it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentapp.drafts import rules
from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.drafts.services.carrying import write
from agentapp.files import rules as files
from agentapp.files.services import examine, most_bytes
from agentapp.foundation.text import normalised
from agentapp.identity.models import Room
from agentapp.tools.registry import Arguments, Tool, register
from agentapp.turns.models import Turn

ATTACH = "attach"
WRITABLE = frozenset({"txt", "md", "csv", "json", "ics"})  # texts that nothing runs
MAX_WRITTEN = 20_000  # characters of one file
REACTION_ORDINAL = 8  # beside the answer's 0: a thought puts one emoji at most


class ReactArguments(Arguments):
    """Which emoji."""

    emoji: Annotated[str, Field(min_length=1, max_length=16, description="one emoji")]


def _react(turn: Turn, asked: ReactArguments) -> str:
    """Propose a reaction to the message that is answered; it passes every gate as any draft."""
    if not rules.is_emoji(asked.emoji):
        return "That is no emoji."
    room = Room.objects.get(turns=turn)
    is_public = room.visibility == Room.Visibility.PUBLIC and room.kind != Room.Kind.DIRECT
    try:
        draft = propose(
            Wish(
                turn=turn,
                agent_id=turn.agent_id,
                kind=Draft.Kind.REACTION,
                room_id=room.pk,
                emoji=asked.emoji,
                target_id=turn.trigger_id,
                person_id=turn.person_id,
                visibility=Draft.Visibility.PUBLIC if is_public else Draft.Visibility.PRIVATE,
                why="It wanted to react to this message.",
                ordinal=REACTION_ORDINAL,
                epoch=turn.epoch,
            )
        )
    except PendingLimitReached as full:
        return full.message
    told = {
        Draft.Status.APPROVED: "It is on its way. Write your message all the same.",
        Draft.Status.PENDING: "It waits for your owner. Write your message all the same.",
    }
    return told.get(Draft.Status(draft.status), "It was held back.")


class AttachArguments(Arguments):
    """Which file."""

    name: Annotated[
        str, Field(min_length=3, max_length=60, description="such as recipe.md or list.csv")
    ]
    content: Annotated[
        str, Field(min_length=1, max_length=MAX_WRITTEN, description="its whole text")
    ]


def _attach(turn: Turn, asked: AttachArguments) -> str:
    """Keep a text to go out with the answer; it passes every gate together with it."""
    room = Room.objects.select_related("workspace").get(turns=turn)
    name = files.clean_name(asked.name)
    if files.ending(name) not in WRITABLE:
        return f"Write a file that ends with one of: {', '.join(sorted(WRITABLE))}."
    content = normalised(asked.content, limit=MAX_WRITTEN).encode()
    write(turn=turn, examined=examine(name, content, most=most_bytes(room)))
    return f"{name} goes out with your message. Now write the message."


register(
    Tool(
        name=ATTACH,
        description="Write a text file that is sent with your message: a list, a table, a recipe.",
        arguments=AttachArguments,
        run=_attach,
        acts_as=Draft.Kind.MESSAGE,
    )
)
register(
    Tool(
        name="react",
        description="Put one emoji on the message you are answering.",
        arguments=ReactArguments,
        run=_react,
        acts_as=Draft.Kind.REACTION,
    )
)
