"""The two database roles and the extension: the only work done as superuser."""

from __future__ import annotations

import os
import sys

import psycopg
from psycopg import sql

OWNER = "greenroom_owner"  # owns the database and every table; migrations run as it
APP = "greenroom_app"  # what the processes are: reads and writes rows, alters nothing
DATABASE = "greenroom"


def prepare_database(
    *, superuser_url: str, owner_password: str, app_password: str, database: str = DATABASE
) -> None:
    """Create roles, database and extension where missing, and set both passwords.

    Safe to run at every start. The superuser's address names any existing database.
    """
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        _keep_role(connection, OWNER, owner_password)
        _keep_role(connection, APP, app_password)
        _keep_database(connection, database)
    with psycopg.connect(superuser_url, dbname=database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def _keep_role(connection: psycopg.Connection, role: str, password: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    statement = sql.SQL(
        "ALTER ROLE {} PASSWORD {}" if found else "CREATE ROLE {} LOGIN PASSWORD {}"
    )
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _keep_database(connection: psycopg.Connection, database: str) -> None:
    name = sql.Identifier(database)
    found = connection.execute(
        "SELECT 1 FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    if not found:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER))
        )
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(APP))
    )


def main() -> int:
    """Prepare a database server that somebody else runs, named by the environment."""
    try:
        prepare_database(
            superuser_url=os.environ["SUPERUSER_URL"],
            owner_password=os.environ["OWNER_PASSWORD"],
            app_password=os.environ["APP_PASSWORD"],
        )
    except KeyError as error:
        sys.stderr.write(f"The environment lacks {error.args[0]}.\n")
        return 1
    except psycopg.Error as error:
        sys.stderr.write(f"The database server refused: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
