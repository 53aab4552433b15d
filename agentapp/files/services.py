"""Takes files in: looked at first, then kept within what a room and a workspace may fill."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, Sum

from agentapp.files import pictures, rules
from agentapp.files.errors import (
    EmptyFile,
    FileTooLarge,
    NoRoomForFiles,
    ProgramRefused,
    TooManyFiles,
)
from agentapp.files.models import FileBytes, StoredFile
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity import limits
from agentapp.identity.models import Room

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Given:
    """A file as somebody hands it in."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that was looked into."""

    name: str
    content: bytes
    content_type: str
    sha256: str
    excerpt: str
    picture: pictures.Drawn | None


def most_bytes(room: Room) -> int:
    """Return how large one file may be there; needs the room's workspace loaded."""
    return int(_limit(room, "file_mb") * rules.MB)


def examine(name: str, content: bytes, *, most: int) -> Examined:
    """Look into a file; opens pictures, so call it outside any transaction.

    Raises:
        EmptyFile, FileTooLarge, ProgramRefused: It is not taken.
    """
    clean = rules.clean_name(name)
    if not content:
        raise EmptyFile(f"{clean} is empty.")
    if len(content) > most:
        raise too_large(clean, most=most)
    kind = rules.kind_of(clean, content)
    if rules.is_program(clean, content, kind):
        raise ProgramRefused(f"{clean} is a program. Programs are not taken.")
    return Examined(
        name=clean,
        content=content,
        content_type=kind.content_type,
        sha256=hashlib.sha256(content).hexdigest(),
        excerpt=rules.excerpt(kind.text) if kind.text is not None else "",
        picture=pictures.drawn(content) if kind.is_picture else None,
    )


def examine_all(files: Sequence[Given], *, room: Room) -> list[Examined]:
    """Look into the files of one message as `examine` does.

    Raises:
        TooManyFiles: And as `examine`; then none is taken.
    """
    most = int(_limit(room, "message_files"))
    if len(files) > most:
        raise TooManyFiles(f"A message takes at most {most} files.")
    return [examine(each.name, each.content, most=most_bytes(room)) for each in files]


def store(examined: Examined, *, room: Room) -> StoredFile:
    """Keep a file that was looked into, inside the caller's transaction, which locks the room.

    Writes: StoredFile, FileBytes.

    Raises:
        NoRoomForFiles: The room or the workspace has had its fill. Nothing is written.
    """
    refuse_when_full(room=room, adding=len(examined.content))
    picture = examined.picture
    row = StoredFile.objects.create(
        workspace_id=room.workspace_id,
        room=room,
        content_type=examined.content_type,
        size=len(examined.content),
        sha256=examined.sha256,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
    )
    FileBytes.objects.create(
        file=row,
        content=examined.content,
        picture=picture.content if picture else None,
        excerpt=examined.excerpt,
    )
    return row


def refuse_when_full(*, room: Room, adding: int = 1) -> None:
    """Let pass what still fits; one query.

    Raises:
        NoRoomForFiles: The room's day, the workspace's day or the workspace as a whole is full.
    """
    today = Q(created_at__gt=GreenroomNow() - DAY)
    filled = StoredFile.objects.filter(workspace_id=room.workspace_id).aggregate(
        room_day=Sum("size", filter=today & Q(room=room)),
        workspace_day=Sum("size", filter=today),
        workspace=Sum("size"),
    )
    for name, limit, words in (
        ("room_day", "room_files_mb_day", "This room has had its files for today."),
        ("workspace_day", "workspace_files_mb_day", "This workspace has had its files for today."),
        ("workspace", "workspace_files_mb", "There is no room for more files in this workspace."),
    ):
        if (filled[name] or 0) + adding > _limit(room, limit) * rules.MB:
            raise NoRoomForFiles(words)


def too_large(name: str, *, most: int) -> FileTooLarge:
    """Return the refusal of a file that is larger than `most` bytes."""
    return FileTooLarge(f"{name} is larger than {rules.size_in_words(most)}.")


def _limit(room: Room, name: str) -> float:
    return limits.effective(name, workspace=room.workspace.limits, room=room.limits).value
