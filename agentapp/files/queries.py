"""Reads of files: metadata in lists, bytes one at a time."""

from __future__ import annotations

from collections.abc import Collection

from agentapp.files.models import FileBytes, StoredFile


def content_of(file_id: int) -> bytes | None:
    """Return a file's bytes, or None when they are gone; one query."""
    found = FileBytes.objects.filter(pk=file_id).values_list("content", flat=True).first()
    return None if found is None else bytes(found)


def picture_of(file_id: int) -> bytes | None:
    """Return a picture as it was drawn anew, or None when it is no picture; one query."""
    found = FileBytes.objects.filter(pk=file_id).values_list("picture", flat=True).first()
    return None if found is None else bytes(found)


def excerpts_of(file_ids: Collection[int]) -> dict[int, str]:
    """Return the words of texts among these files, by file; one query, none for no files."""
    if not file_ids:
        return {}
    rows = FileBytes.objects.filter(pk__in=file_ids).exclude(excerpt="")
    return dict(rows.values_list("pk", "excerpt"))


def pictures_of(file_ids: Collection[int]) -> dict[int, bytes]:
    """Return the pictures among these files, by file; one query, none for no files."""
    if not file_ids:
        return {}
    rows = FileBytes.objects.filter(pk__in=file_ids, picture__isnull=False)
    found = rows.values_list("pk", "picture")
    return {pk: bytes(content) for pk, content in found if content is not None}


def stored(file_id: int) -> StoredFile | None:
    """Return what is known of a file, without its bytes; one query."""
    return StoredFile.objects.filter(pk=file_id).first()
