"""Files as people see them: a picture to look at, or a name with a size to take away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from agentapp.conversation.models import Attachment
from agentapp.drafts.models import Draft, DraftFile
from agentapp.files.models import StoredFile
from agentapp.files.queries import excerpts_of
from agentapp.files.rules import size_in_words

SHOWN_HEIGHT = 320  # pixels of a picture in a room, at most
SHOWN_WIDTH = 420


@dataclass(frozen=True, slots=True)
class FileShown:
    """One file. `picture` is an address, or "" for what cannot be looked at.

    Attributes:
        url: Where it is taken away; "" while it is not here.
        note: Its size, or why it is not here.
        width: That a page gives the picture, so that nothing jumps when it arrives.
        text: The beginning of a text, where somebody has to read it before deciding.
    """

    id: int
    name: str
    url: str
    note: str
    picture: str = ""
    width: int = 0
    height: int = 0
    text: str = ""
    is_waiting: bool = False


def show_files(attachments: Sequence[Attachment]) -> list[FileShown]:
    """Show a message's files. Asks the database nothing."""
    return [_attached(each) for each in attachments]


def files_of_drafts(drafts: Sequence[Draft]) -> dict[int, list[FileShown]]:
    """Show what drafts carry, each text with its beginning; two queries, none without files."""
    carrying = [draft.pk for draft in drafts if draft.file_count]
    if not carrying:
        return {}
    rows = DraftFile.objects.filter(draft__in=carrying).select_related("file").order_by("pk")
    texts = excerpts_of([row.file_id for row in rows if row.file_id])
    found: dict[int, list[FileShown]] = defaultdict(list)
    for row in rows:
        found[row.draft_id or 0].append(_drafted(row, texts.get(row.file_id or 0, "")))
    return found


def _attached(row: Attachment) -> FileShown:
    stored = row.file
    if stored is None:
        is_waiting = row.state == Attachment.State.WANTED
        words = "being fetched" if is_waiting else row.reason or "not here any more"
        return FileShown(row.pk, row.name, "", words, is_waiting=is_waiting)
    width, height = _fitted(stored)
    return FileShown(
        id=row.pk,
        name=row.name,
        url=reverse("file", args=[row.pk]),
        note=size_in_words(stored.size),
        picture=reverse("file_picture", args=[row.pk]) if stored.width else "",
        width=width,
        height=height,
    )


def _drafted(row: DraftFile, text: str) -> FileShown:
    stored = row.file
    if stored is None:
        return FileShown(row.pk, row.name, "", "deleted")
    width, height = _fitted(stored)
    return FileShown(
        id=row.pk,
        name=row.name,
        url=reverse("draft_file", args=[row.pk]),
        note=size_in_words(row.size),
        picture=reverse("draft_file_picture", args=[row.pk]) if stored.width else "",
        width=width,
        height=height,
        text=text,
    )


def _fitted(stored: StoredFile) -> tuple[int, int]:
    """Return the size at which a picture is shown, its proportions kept."""
    if not stored.width or not stored.height:
        return 0, 0
    scale = min(1.0, SHOWN_WIDTH / stored.width, SHOWN_HEIGHT / stored.height)
    return max(1, round(stored.width * scale)), max(1, round(stored.height * scale))


def words_of(text: str, file_count: int) -> str:
    """Return what a message says in one line, also when it is only files."""
    if text or not file_count:
        return text
    return "sent a file" if file_count == 1 else f"sent {file_count} files"
