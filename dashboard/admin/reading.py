"""The admin only looks: changes go through the pages and the API, where they leave a trail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin

COLUMNS = 7
PER_PAGE = 50
# Never shown: sealed or hashed credentials, what was written byte for byte, vectors.
HIDDEN = {
    *("secret", "sealed", "key_sealed", "token_hash", "token_mark", "password", "raw"),
    "embedding",
    *("content", "picture", "words"),
}
_LONG = (models.TextField, models.JSONField, models.BinaryField)


class ReadOnlyAdmin(ModelAdmin):
    """A list and a detail page of one table, for the host's admin."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = PER_PAGE
    ordering = ("-pk",)

    @override
    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        short = [field.name for field in _shown(self.model) if not isinstance(field, _LONG)]
        return ("__str__", *short)[:COLUMNS]

    @override
    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(field.name for field in _shown(self.model))

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj)

    @override
    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        return [field.name for field in _shown(self.model) if field.many_to_one]

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


def register(*tables: type[models.Model]) -> None:
    """Show tables in the admin."""
    for table in tables:
        admin.site.register(table, ReadOnlyAdmin)


def _shown(table: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [field for field in table._meta.concrete_fields if field.name not in HIDDEN]
