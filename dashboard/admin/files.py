"""The admin's tables about files: what they are, never their bytes."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from agentapp.files.models import FileBytes, StoredFile
from dashboard.admin.reading import ReadOnlyAdmin, register


class BytesAdmin(ReadOnlyAdmin):
    """Which files have bytes; loading those of a page of rows would take half a gigabyte."""

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[FileBytes]:
        rows: QuerySet[FileBytes] = super().get_queryset(request)
        return rows.defer("content", "picture")


register(StoredFile)
admin.site.register(FileBytes, BytesAdmin)
