"""Files that go out with a draft: put there by its owner, or written by its agent."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import transaction

from agentapp.drafts import rules
from agentapp.drafts.errors import DraftChanged, DraftNotPending
from agentapp.drafts.models import Draft, DraftFile
from agentapp.drafts.trail import note
from agentapp.files.errors import TooManyFiles
from agentapp.files.services import Examined, Given, examine, most_bytes, refuse_when_full, store
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Invalid, NotFound
from agentapp.identity.models import Room, User
from agentapp.safety.screen import screen
from agentapp.turns.models import Turn

MAX_WRITTEN = 2  # files that one thought may write


def attach(*, draft_id: int, version: int, given: Given, by: User) -> Draft:
    """Put a file on a waiting draft; approving it from then on means the file as well.

    Opens pictures before the transaction. Writes: DraftFile, StoredFile, FileBytes, Draft.

    Raises:
        DraftNotPending, DraftChanged: See there. TooManyFiles: It carries enough.
        Invalid, Refused: The file is not taken. Nothing is written.
    """
    room = Room.objects.select_related("workspace").filter(drafts=draft_id).first()
    if room is None:
        raise NotFound
    refuse_when_full(room=room)
    examined = examine(given.name, given.content, most=most_bytes(room))
    with transaction.atomic():
        draft = _waiting(draft_id, version)
        if draft.kind == Draft.Kind.REACTION:
            raise Invalid("An emoji carries no files.")
        if draft.file_count >= rules.MAX_FILES:
            raise TooManyFiles(f"A draft carries at most {rules.MAX_FILES} files.")
        _refuse_unspeakable(draft, examined)
        kept = _kept(examined, room=room, agent_id=draft.agent_id)
        kept.draft, kept.author = draft, by
        kept.save()
        _changed(draft, by, what="attached", name=examined.name)
    return draft


@transaction.atomic
def detach(*, draft_id: int, version: int, file_id: int, by: User) -> Draft:
    """Take a file off a waiting draft; its bytes are deleted.

    Raises:
        DraftNotPending, DraftChanged: See there. NotFound: It carries no such file.
    """
    draft = _waiting(draft_id, version)
    row = DraftFile.objects.filter(pk=file_id, draft=draft).first()
    if row is None:
        raise NotFound
    row.delete()
    _changed(draft, by, what="detached", name=row.name)
    return draft


@transaction.atomic
def write(*, turn: Turn, examined: Examined) -> None:
    """Keep a file that an agent wrote, to go out with the answer it is thinking of.

    The same name again is the same file, with its new content.

    Raises:
        TooManyFiles: It wrote enough. Conflict: The answer was given already.
        NoRoomForFiles: See there.
    """
    room = Room.objects.select_related("workspace").get(turns=turn)
    mine = list(DraftFile.objects.select_for_update().filter(turn=turn))
    if any(row.draft_id for row in mine):
        raise DraftNotPending("The answer was given already.")
    before = next((row for row in mine if row.name == examined.name), None)
    if before is not None and before.sha256 == examined.sha256:
        return
    if before is not None:
        before.delete()
    elif len(mine) >= MAX_WRITTEN:
        raise TooManyFiles(f"One answer carries at most {MAX_WRITTEN} files.")
    kept = _kept(examined, room=room, agent_id=turn.agent_id)
    kept.turn = turn
    kept.save()


def written_by(turn_ids: Collection[int]) -> dict[int, list[DraftFile]]:
    """Return what thoughts wrote, by turn; one query, none for no turns."""
    found: dict[int, list[DraftFile]] = {}
    if turn_ids:
        rows = DraftFile.objects.filter(turn__in=turn_ids, draft=None).order_by("pk")
        for row in rows.select_related("file__bytes").defer(
            "file__bytes__content", "file__bytes__picture"
        ):
            found.setdefault(row.turn_id or 0, []).append(row)
    return found


def fingerprint(draft: Draft) -> str:
    """Return the hash of everything that approving a draft releases; one query with files."""
    files: Iterable[tuple[str, str]] = ()
    if draft.file_count:
        files = draft.files.order_by("pk").values_list("name", "sha256")
    return rules.content_hash(kind=draft.kind, text=draft.text, emoji=draft.emoji, files=files)


def _waiting(draft_id: int, version: int) -> Draft:
    draft = (
        Draft.objects.select_for_update(of=("self",))
        .select_related("agent", "room")
        .filter(pk=draft_id, status=Draft.Status.PENDING, expires_at__gt=GreenroomNow())
        .first()
    )
    if draft is None:
        raise DraftNotPending
    if draft.version != version:
        raise DraftChanged
    return draft


def _refuse_unspeakable(draft: Draft, examined: Examined) -> None:
    found = screen(examined.excerpt, agent=draft.agent) if examined.excerpt else []
    blocking = [each for each in found if each.effect == "block"]
    if blocking:
        raise Invalid(f"This would be held back: {blocking[0].detail or blocking[0].rule}.")


def _kept(examined: Examined, *, room: Room, agent_id: int) -> DraftFile:
    return DraftFile(
        workspace_id=room.workspace_id,
        agent_id=agent_id,
        name=examined.name,
        content_type=examined.content_type,
        size=len(examined.content),
        sha256=examined.sha256,
        file=store(examined, room=room),
    )


def _changed(draft: Draft, by: User, *, what: str, name: str) -> None:
    draft.file_count = draft.files.count()
    draft.version += 1
    draft.content_hash = fingerprint(draft)
    draft.save(update_fields=["file_count", "version", "content_hash"])
    note(draft, what, by_id=by.pk, name=name)
    note(draft, "updated", by_id=by.pk)
