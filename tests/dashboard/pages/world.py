"""Rows for the pages' tests, made by the product's own services."""

from __future__ import annotations

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, propose
from agentapp.identity.models import Room
from agentapp.llm.models import LLMCall
from agentapp.turns.models import Turn
from tests.cast import Cast, make_message

AS_SCRIPT = {"HTTP_HX_REQUEST": "true"}


def make_turn(cast: Cast, message: Message, **fields: object) -> Turn:
    values: dict[str, object] = {
        "workspace": cast.workspace,
        "agent": cast.ada,
        "room": message.room,
        "trigger_id": message.pk,
        "status": Turn.Status.DONE,
        "decision": Turn.Decision.RESPOND,
        "reasons": [
            {"kind": "yes", "code": "addressed", "words": "Sam mentioned Ada."},
            {"kind": "no", "code": "taken", "words": "Bo was not asked."},
        ],
        "context": {"messages": [message.pk], "version": cast.ada.version_id},
        "taint": ["Sam"],
        "cost_micros": 2100,
    }
    turn = Turn.objects.create(**values | fields)
    LLMCall.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        turn=turn,
        model="small-model",
        purpose=LLMCall.Purpose.REPLY,
        key=f"test:{turn.pk}",
        status=LLMCall.Status.DONE,
        tokens_in=1204,
        tokens_out=61,
        cost_micros=2100,
        latency_ms=1840,
    )
    return turn


def make_draft(
    cast: Cast, *, text: str = "Shall I water the plants?", room: Room | None = None
) -> Draft:
    """Have Sam ask Ada something in a room, and Ada propose an answer."""
    message = make_message(cast, cast.sam, "@Ada, what about the plants?", room=room)
    return propose(
        Wish(
            turn=make_turn(cast, message),
            agent_id=cast.ada.pk,
            kind="message",
            room_id=message.room_id,
            text=text,
            why="Sam asked her by name.",
            tainted=True,
            room_seen=message.pk,
        )
    )


def publish(draft: Draft) -> None:
    """Let an approved draft have reached its room."""
    for state, status in (
        (Outbound.State.PUBLISHING, Draft.Status.PUBLISHING),
        (Outbound.State.SENT, Draft.Status.PUBLISHED),
    ):
        Outbound.objects.filter(draft=draft).update(state=state)
        Draft.objects.filter(pk=draft.pk).update(status=status)


def seen(draft: Draft, **fields: object) -> dict[str, object]:
    """Return what a card's form sends about the words on screen."""
    return {"version": draft.version, "content_hash": draft.content_hash, **fields}
