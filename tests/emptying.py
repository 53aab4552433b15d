"""Empties the database after a test that committed.

Django would truncate every table: new files for each of them and for each of their indexes, which
takes longer than most tests. Nearly all of them are empty, so rows are deleted instead.
"""

from __future__ import annotations

import os
from functools import lru_cache

import psycopg

from agentapp.management.stack import roles

SUPERUSER_URL = "GREENROOM_TEST_SUPERUSER_URL"
# What migrating fills in, and the clock, which is put right by whoever moved it.
KEPT = ("django_migrations", "django_content_type", "auth_permission", "greenroom_clock")
LARGE = 2**20  # bytes; what is larger would be looked through by every test that follows
# Locked first, so that a process that is just writing has ended its transaction. Triggers keep the
# product from deleting what nobody may; foreign keys need no check where everything goes.
_EMPTY = """
DO $$
DECLARE
    every text[]; one text; is_large boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    SELECT array_agg(oid::regclass::text), bool_or(pg_relation_size(oid) > {large})
        INTO every, is_large
        FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname <> ALL (ARRAY[{kept}]);
    EXECUTE 'LOCK TABLE ' || array_to_string(every, ', ') || ' IN EXCLUSIVE MODE';
    IF is_large THEN
        EXECUTE 'TRUNCATE ' || array_to_string(every, ', ');
        RETURN;
    END IF;
    FOREACH one IN ARRAY every LOOP
        EXECUTE 'DELETE FROM ' || one;
    END LOOP;
END $$
"""


def empty_all_tables() -> None:
    """Delete every row that tests have made, whatever refers to it."""
    kept = ", ".join(f"'{name}'" for name in KEPT)
    _superuser().execute(_EMPTY.format(large=LARGE, kept=kept))


def stop() -> None:
    """Close the connection that is kept."""
    if _superuser.cache_info().currsize:
        _superuser().close()
        _superuser.cache_clear()


@lru_cache(maxsize=1)
def _superuser() -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection that is kept for the run, since making one costs as much as emptying."""
    return psycopg.connect(os.environ[SUPERUSER_URL], dbname=roles.DATABASE, autocommit=True)
