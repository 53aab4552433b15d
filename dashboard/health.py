"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

from http import HTTPStatus

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

TIMEOUT_SECONDS = 0.2


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process can; touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when pages work. A missing broker only makes things slower, so it is degraded."""
    checks = {"database": _database(), "broker": _broker()}
    if checks["database"] != "ok":
        return JsonResponse(
            {"status": "unavailable", **checks}, status=HTTPStatus.SERVICE_UNAVAILABLE
        )
    status = "ok" if checks["broker"] == "ok" else "degraded"
    return JsonResponse({"status": status, **checks})


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unreachable"
    return "migrations are missing" if waiting else "ok"


def _broker() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )
    try:
        client.ping()
    except redis.RedisError:
        return "unreachable"
    finally:
        client.close()
    return "ok"
