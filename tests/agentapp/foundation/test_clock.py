from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from agentapp.foundation import clock
from agentapp.foundation.database import OpenTransaction, released_connection


@pytest.mark.django_db
def test_time_goes_on_inside_a_transaction() -> None:
    assert clock.now() < clock.now()


@pytest.mark.django_db
def test_everything_that_asks_for_the_time_sees_the_same_shift() -> None:
    before = clock.now()
    with clock.shifted(timedelta(hours=1)):
        assert clock.now() - before >= timedelta(hours=1)
    assert clock.now() - before < timedelta(minutes=1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("table", "right"),
    [
        ("greenroom_clock", "DELETE"),
        ("greenroom_clock", "INSERT"),
        ("agentapp_event", "UPDATE"),
        ("agentapp_event", "DELETE"),
    ],
)
def test_the_processes_lack_rights_they_must_not_have(table: str, right: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, has_table_privilege(%s, %s)", [table, right])
        assert cursor.fetchone() == ("greenroom_app", False)


@pytest.mark.django_db(transaction=True)
def test_a_slow_call_is_refused_inside_a_transaction_and_gives_the_connection_back() -> None:
    with transaction.atomic(), pytest.raises(OpenTransaction), released_connection():
        pass
    clock.now()
    assert connection.connection is not None
    with released_connection():
        assert connection.connection is None
