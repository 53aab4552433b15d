"""Reads of what was said."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from agentapp.conversation.models import Attachment, Message, Reaction

PAGE = 50  # messages


def readable(*, room_id: int) -> QuerySet[Message]:
    """Return what can be read in a room: messages that have arrived and are not deleted."""
    return Message.objects.filter(room_id=room_id, is_known=True, deleted_at__isnull=True)


def recent(*, room_id: int, before_id: int | None = None, limit: int = PAGE) -> list[Message]:
    """List a page of a room's messages, the oldest of the page first; two queries, or three.

    Author, replied-to message with its author, present reactions (`shown_reactions`, each with
    its identity) and, where there are any, attachments (`shown_files`) are loaded with it.

    Args:
        room_id: The room.
        before_id: The first id of the page after this one; None starts at the newest.
        limit: At most this many.
    """
    messages = readable(room_id=room_id)
    if before_id is not None:
        messages = messages.filter(id__lt=before_id)
    page = (
        messages.select_related("author__agent", "reply_to__author")
        .prefetch_related(shown_reactions())
        .order_by("-id")[:limit]
    )
    return with_files(list(reversed(page)))


def get_message(*, message_id: int) -> Message | None:
    """Return one message as `recent` does, or None when it cannot be read."""
    found = (
        Message.objects.filter(pk=message_id, is_known=True, deleted_at__isnull=True)
        .select_related("author__agent", "reply_to__author")
        .prefetch_related(shown_reactions())
        .first()
    )
    return with_files([found])[0] if found else None


def with_files(messages: list[Message]) -> list[Message]:
    """Load the attachments of messages into `shown_files`; one query, none without files."""
    owners = [message for message in messages if message.file_count]
    if owners:
        rows = Attachment.objects.select_related("file").order_by("n")
        prefetch_related_objects(owners, Prefetch("attachments", rows, to_attr="shown_files"))
    return messages


def files_of(message: Message) -> list[Attachment]:
    """Return what `with_files` loaded; asks the database nothing."""
    return list(getattr(message, "shown_files", ()))


def shown_reactions() -> Prefetch[str, QuerySet[Reaction], str]:
    """Prefetch the reactions that stand on messages now into `shown_reactions`."""
    present = Reaction.objects.filter(is_present=True).select_related("identity").order_by("id")
    return Prefetch("reactions", queryset=present, to_attr="shown_reactions")


def message_id_of(
    *, workspace_id: int, platform: str, room_external_id: str, external_id: str
) -> int | None:
    """Return the row id of a platform's message, or None when it never came."""
    return (
        Message.objects.filter(
            room__workspace_id=workspace_id,
            room__platform=platform,
            room__external_id=room_external_id,
            external_id=external_id,
            is_known=True,
        )
        .values_list("pk", flat=True)
        .first()
    )
