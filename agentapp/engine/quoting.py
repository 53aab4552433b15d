"""Messages and their files as lines of data, with nothing in them that could end the line."""

from __future__ import annotations

import json
from collections.abc import Mapping

from agentapp.conversation.models import Attachment, Message
from agentapp.conversation.queries import files_of
from agentapp.engine.rules import fitting
from agentapp.files.rules import size_in_words

MAX_EXCERPTS = 6_000  # characters of all texts that came with one message
NOT_YET = "not opened yet"
UNSEEN = "you cannot see it"


def data(**fields: object) -> str:
    """Return one line of JSON that cannot close the block it stands in."""
    line = json.dumps(fields, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


def told(
    message: Message, *, excerpts: Mapping[int, str], pictures: Mapping[int, bytes]
) -> list[dict[str, object]]:
    """Return what a model is told of a message's files: name, kind, size, and what is in texts.

    Args:
        excerpts: By file; a text that is not among them is only named.
        pictures: By file, those that go with the prompt.
    """
    left, found = MAX_EXCERPTS, []
    for each in files_of(message):
        fields = _named(each)
        text = excerpts.get(each.file_id or 0, "")
        if text and left > 0:
            fields["text"] = fitting.clipped(text, limit=left)
            left -= len(text)
        elif each.file and each.file.width and each.file_id not in pictures:
            fields["note"] = UNSEEN
        found.append(fields)
    return found


def _named(row: Attachment) -> dict[str, object]:
    if row.file is not None:
        kind, size = row.file.content_type, row.file.size
        return {"name": row.name, "type": kind, "size": size_in_words(size)}
    is_waiting = row.state == Attachment.State.WANTED
    fields = {"name": row.name, "said_type": row.said_type, "size": size_in_words(row.said_size)}
    state = NOT_YET if is_waiting else row.reason or "not here"
    return {**{key: value for key, value in fields.items() if value}, "state": state}
