"""A piece as a connector gets it."""

from __future__ import annotations

from agentapp.drafts.models import Draft, DraftFile, Outbound
from agentapp.foundation.envelope import Outgoing


def outgoing(piece: Outbound, *, deadline: float) -> Outgoing:
    """Return a piece for the wire; needs draft, target, room and account loaded.

    Only the first piece of a draft answers its target; the others follow it.
    """
    draft = piece.draft
    target = draft.target
    return Outgoing(
        outbound_id=piece.pk,
        workspace_id=draft.workspace_id,
        account_id=str(piece.account_id),
        author_external_id=piece.account.external_id,
        platform=piece.room.platform,
        room_external_id=piece.room.external_id,
        kind=_kind(piece),
        text=piece.text,
        reply_to=target.external_id if target is not None and piece.seq == 0 else "",
        emoji=draft.emoji,
        dedupe_key=piece.dedupe_key,
        deadline=deadline,
        extra=_extra(piece),
    )


def _kind(piece: Outbound) -> str:
    if piece.action != Outbound.Action.SEND:
        return str(piece.action)
    if piece.file_id is not None:
        return "file"
    return "reaction" if piece.draft.kind == Draft.Kind.REACTION else "message"


def _extra(piece: Outbound) -> dict[str, object]:
    if piece.action == Outbound.Action.RETRACT:
        return _of_retraction(piece)
    if piece.action == Outbound.Action.EDIT:
        return {"external_id": piece.external_id}
    return _of_message(piece) | (_of_file(piece.file) if piece.file else {})


def _of_file(file: DraftFile) -> dict[str, object]:
    return {
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "stored": file.file_id or 0,
        "uploaded": file.uploaded,
    }


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
    if piece.tried_at is not None:
        extra["first_tried_at"] = piece.tried_at.isoformat()
    return extra
