"""What came with messages: the beginnings of texts, and pictures where a model would see them."""

from __future__ import annotations

from dataclasses import replace

from agentapp.conversation.models import Attachment
from agentapp.conversation.queries import files_of, with_files
from agentapp.engine.queries.reading import Reading
from agentapp.files.queries import excerpts_of, pictures_of
from agentapp.llm.queries import may_read_pictures

MOST_PICTURES = 2  # of one prompt, the latest


def with_contents(reading: Reading) -> Reading:
    """Return a reading with what stands in its files; no query where no message has any.

    Files of the talk before are named; what is in them was read when they came.
    """
    with_files([*reading.talk, *reading.answered])
    files = [each for message in reading.answered for each in files_of(message)]
    if not files:
        return reading
    shown = [each.file_id for each in files if _is_picture(each)][-MOST_PICTURES:]
    wanted = [pk for pk in shown if pk is not None]
    sees = bool(wanted) and may_read_pictures(reading.room.workspace_id)
    return replace(
        reading,
        excerpts=excerpts_of([each.file_id for each in files if each.file_id]),
        pictures=pictures_of(wanted) if sees else {},
    )


def _is_picture(row: Attachment) -> bool:
    return row.file is not None and bool(row.file.width)
