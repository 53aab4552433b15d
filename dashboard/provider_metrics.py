"""How each model server fares, in figures: whether it is asked, what fails, what it costs.

A server is named by its row's id: addresses may hold names of people, and keys are in no label.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum
from prometheus_client.core import GaugeMetricFamily, Metric

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.units import MICROS_PER_USD
from agentapp.identity.models import Workspace
from agentapp.llm.models import LLMCall, Provider

WINDOW = timedelta(hours=1)
REMOVED = "removed"  # a server that is not connected any more
_LOST, _RUNNING = LLMCall.Status.LOST.value, LLMCall.Status.RUNNING.value


@dataclass(frozen=True, slots=True)
class Ends:
    """Calls of the last hour that ended alike; `cost` is in micro-dollars."""

    provider_id: uuid.UUID | None
    status: str
    failure: str
    calls: int
    cost: int
    latest: datetime

    @property
    def server(self) -> str:
        """Return the label of the server that was asked."""
        return str(self.provider_id) if self.provider_id else REMOVED


def recent_ends() -> list[Ends]:
    """Count the calls begun in the last hour, outside of demos. Two queries."""
    # Naming the workspaces lets the index over workspace and time be used.
    workspaces = list(Workspace.objects.filter(is_demo=False).values_list("pk", flat=True))
    recent = LLMCall.objects.filter(
        workspace__in=workspaces, created_at__gt=GreenroomNow() - WINDOW
    )
    rows = recent.values_list("provider_id", "status", "failure").annotate(
        calls=Count("pk"), cost=Sum("cost_micros"), latest=Max("created_at")
    )
    return [Ends(*row) for row in rows]


def provider_figures(ended: list[Ends]) -> Iterator[Metric]:
    """Say of every connected server whether it is asked, and how its calls ended. One query."""
    providers = list(
        Provider.objects.filter(workspace__is_demo=False).values_list("pk", "kind", "circuit")
    )
    yield _circuits(providers)
    yield _in_flight([str(pk) for pk, _, _ in providers], ended)
    yield _failures(ended)
    yield _last_failures(ended)
    yield _costs(ended)


def _circuits(providers: list[tuple[uuid.UUID, str, str]]) -> Metric:
    family = _family(
        "provider_circuit",
        "1 for the state of a model server: closed is asked, open is left alone.",
        ["provider", "kind", "state"],
    )
    for pk, kind, circuit in providers:
        for state in Provider.Circuit.values:
            family.add_metric([str(pk), kind, str(state)], int(state == circuit))
    return family


def _in_flight(servers: list[str], ended: list[Ends]) -> Metric:
    family = _family("provider_calls_running", "Requests under way.", ["provider"])
    counts = Counter(dict.fromkeys(servers, 0))
    for each in ended:
        counts[each.server] += each.calls if each.status == _RUNNING else 0
    for server, count in sorted(counts.items()):
        family.add_metric([server], count)
    return family


def _failures(ended: list[Ends]) -> Metric:
    family = _family(
        "provider_failures_last_hour",
        "Requests begun in the last hour without an answer, by kind of trouble.",
        ["provider", "kind"],
    )
    for (server, kind), calls in sorted(_troubles(ended).items()):
        family.add_metric([server, kind], calls)
    return family


def _troubles(ended: list[Ends]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for each in ended:
        if each.failure:
            counts[each.server, each.failure] += each.calls
    return counts


def _last_failures(ended: list[Ends]) -> Metric:
    family = _family(
        "provider_last_failure_timestamp_seconds",
        "When the newest request that failed in the last hour was begun, and of what it failed.",
        ["provider", "kind"],
    )
    newest: dict[str, Ends] = {}
    for each in sorted((one for one in ended if one.failure), key=lambda one: one.latest):
        newest[each.server] = each
    for server, each in sorted(newest.items()):
        family.add_metric([server, each.failure], each.latest.timestamp())
    return family


def _costs(ended: list[Ends]) -> Metric:
    family = _family(
        "provider_cost_dollars_last_hour",
        "Cost of requests begun in the last hour: counted, or written off at the most.",
        ["provider", "end"],
    )
    sums: Counter[tuple[str, str]] = Counter()
    for each in ended:
        sums[each.server, "lost" if each.status == _LOST else "settled"] += each.cost
    for (server, end), micros in sorted(sums.items()):
        family.add_metric([server, end], micros / MICROS_PER_USD)
    return family


def _family(name: str, words: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"greenroom_{name}", words, labels=labels)
