"""Files that came with messages or are to go out with them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Room, Workspace


class StoredFile(Record):
    """What is known of a file's bytes, which lie beside it in `FileBytes`.

    Whoever may see what it is attached to may see it; by itself it is nobody's. The database
    deletes it with the last row that it is attached to, and at once with its message.
    """

    scope_path: ClassVar[str] = "host"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="files")
    content_type = models.CharField(max_length=100, help_text="as its bytes say")
    size = models.PositiveIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField(default=0, help_text="of the picture; 0 for no picture")
    height = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["room", "created_at"], name="storedfile_room_day"),
            models.Index(fields=["workspace", "created_at"], name="storedfile_workspace_day"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.content_type}, {self.size} bytes"


class FileBytes(models.Model):
    """The bytes of one file, in a table of their own so that no list ever loads them."""

    scope_path: ClassVar[str] = "host"

    file = models.OneToOneField(
        StoredFile, on_delete=models.CASCADE, primary_key=True, related_name="bytes"
    )
    content = models.BinaryField()
    picture = models.BinaryField(null=True, help_text="drawn anew, to be looked at")
    excerpt = models.TextField(blank=True, help_text="of a text, made safe to read")

    @override
    def __str__(self) -> str:
        return f"bytes of {self.file_id}"
