"""Rows of one workspace point to rows of the same workspace: the database sees to it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from agentapp.conversation.models import Message
from agentapp.identity.services.rooms import create_room
from agentapp.intake.services import post_web_message
from tests.cast import Cast

NOWHERE = 2**40
_KEYS = """
SELECT DISTINCT conrelid::regclass::text, column_name.attname::text
FROM pg_constraint
JOIN pg_attribute column_name ON column_name.attrelid = conrelid AND column_name.attnum = conkey[1]
WHERE contype = 'f' AND cardinality(conkey) = 2
"""


def unchecked() -> list[tuple[str, str]]:
    """List the relations whose own foreign key was given up, by table and column."""
    return [
        (model._meta.db_table, field.column)
        for model in apps.get_app_config("agentapp").get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.ForeignKey) and not field.db_constraint
    ]


@pytest.mark.django_db
def test_where_a_key_was_given_up_a_same_workspace_key_checks() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_KEYS)
        checked = set(cursor.fetchall())
    tables = {table for table, _ in checked}

    relations = unchecked()

    assert len(relations) > 10
    for table, column in relations:
        if column == "workspace_id":  # half of every key of its table
            assert table in tables, table
        else:
            assert (table, column) in checked, f"{table}.{column} is checked by nothing"


@pytest.mark.parametrize("column", ["room_id", "workspace_id"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_message_cannot_lie_in_another_workspace_or_nowhere(
    cast: Cast, column: str, *, is_there: bool
) -> None:
    message = post_web_message(user=cast.sam, room_id=cast.lounge.pk, text="Hello!")
    room = create_room(workspace=cast.elsewhere, name="There", visibility="public", by=cast.olga)
    elsewhere = room.pk if column == "room_id" else cast.elsewhere.pk

    with pytest.raises(IntegrityError, match="same_workspace"):
        move(message, {column: elsewhere if is_there else NOWHERE})
    message.refresh_from_db()
    assert (message.room_id, message.workspace_id) == (cast.lounge.pk, cast.workspace.pk)


@transaction.atomic
def move(message: Message, to: dict[str, int]) -> None:
    Message.objects.filter(pk=message.pk).update(**to)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
