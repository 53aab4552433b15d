"""A piece as a connector gets it."""

from __future__ import annotations

from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation.envelope import Outgoing


def outgoing(piece: Outbound, *, deadline: float) -> Outgoing:
    """Return a piece for the wire; needs draft, target, room and account loaded.

    Only the first piece of a draft answers its target; the others follow it.
    """
    draft = piece.draft
    retracts = piece.action == Outbound.Action.RETRACT
    kind = "reaction" if draft.kind == Draft.Kind.REACTION else "message"
    target = draft.target
    return Outgoing(
        outbound_id=piece.pk,
        workspace_id=draft.workspace_id,
        account_id=str(piece.account_id),
        author_external_id=piece.account.external_id,
        platform=piece.room.platform,
        room_external_id=piece.room.external_id,
        kind="retract" if retracts else kind,
        text=piece.text,
        reply_to=target.external_id if target is not None and piece.seq == 0 else "",
        emoji=draft.emoji,
        dedupe_key=piece.dedupe_key,
        deadline=deadline,
        extra=_of_retraction(piece) if retracts else _of_message(piece),
    )


def _of_retraction(piece: Outbound) -> dict[str, object]:
    target = piece.draft.target
    is_reaction = piece.draft.kind == Draft.Kind.REACTION
    return {
        "external_id": piece.external_id,
        "kind": "reaction" if is_reaction else "message",
        "reply_to": target.external_id if target else "",
    }


def _of_message(piece: Outbound) -> dict[str, object]:
    extra: dict[str, object] = {}
    if piece.draft.metadata.get("notice"):
        extra["is_notice"] = True
    if piece.draft.target is not None and piece.seq > 0:
        extra["follows"] = piece.draft.target.external_id
    return extra
