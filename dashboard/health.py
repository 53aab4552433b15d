"""Is this process alive, and can it serve?"""

from __future__ import annotations

import logging
from functools import lru_cache
from http import HTTPStatus

import redis
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agentapp.foundation import broker

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say that the process answers; touches nothing else."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether requests can be served: 503 without database or with migrations missing.

    Without the broker the site is degraded, not down: pages work, and waiting work is found by
    the sweepers later.
    """
    checks = {"database": _database(), "broker": _broker()}
    if checks["database"] == "ok":
        checks["migrations"] = _migrations()
    failing = any(checks.get(name) not in {None, "ok"} for name in ("database", "migrations"))
    status = "unready" if failing else "ready" if checks["broker"] == "ok" else "degraded"
    code = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    return JsonResponse({"status": status, "checks": checks}, status=code)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        logger.warning("not ready: the database does not answer (%s)", type(error).__name__)
        return "failing"
    return "ok"


def _broker() -> str:
    try:
        broker.client().ping()
    except redis.RedisError as error:
        logger.warning("degraded: the broker does not answer (%s)", type(error).__name__)
        return "failing"
    return "ok"


def _migrations() -> str:
    try:
        return _applied()
    except MigrationsMissing:
        return "missing"


class MigrationsMissing(Exception):
    """The database is older than this code."""


@lru_cache(maxsize=1)
def _applied() -> str:
    """Compare once; what is applied stays applied, and only a success is remembered."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing
    return "ok"
