"""Figures for Prometheus: read from the database when asked, so every process tells the same."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.db.models import Count, F, Sum
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.units import MICROS_PER_USD
from agentapp.identity.services import token_user
from agentapp.intake.models import Lane
from agentapp.llm.models import LLMCall, Spend
from dashboard.provider_metrics import Ends, provider_figures, recent_ends

OPEN_PIECES: list[str] = [
    Outbound.State.QUEUED.value,
    Outbound.State.PUBLISHING.value,
    Outbound.State.UNKNOWN.value,
]
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-Ip")
SCOPE = "admin"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape from this machine, or one that carries an admin's key."""
    if not (is_from_here(request) or _has_key(request)):
        return HttpResponse("Forbidden\n", status=403, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def is_from_here(request: HttpRequest) -> bool:
    """Say whether a process of this machine asks by a local name and not through a proxy."""
    host = urlsplit(f"//{request.get_host()}").hostname
    if host not in LOCAL_HOSTS or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Figures(Collector):
    """What is waiting, on the wire, asked and spent. Labels are our own closed lists."""

    @override
    def collect(self) -> Iterator[Metric]:
        yield _gauge("drafts_pending", "Drafts that wait for an owner.", _pending())
        yield _by_state(
            "outbound_open",
            "Pieces not yet settled on their platform, by state.",
            "state",
            dict.fromkeys(OPEN_PIECES, 0)
            | dict(
                Outbound.objects.filter(state__in=OPEN_PIECES)
                .values_list("state")
                .annotate(n=Count("pk"))
            ),
        )
        yield _gauge("lanes_due", "Agent and room pairs with something to decide.", _due())
        ended = recent_ends()
        yield _by_state(
            "llm_calls_last_hour",
            "Requests to model servers begun in the last hour, by status.",
            "status",
            _calls(ended),
        )
        yield from provider_figures(ended)
        spent = CounterMetricFamily("greenroom_spent_dollars", "Paid to model servers, ever.")
        spent.add_metric([], _spent("spent_micros"))
        yield spent
        yield _gauge(
            "reserved_dollars",
            "Held for calls that are running.",
            _spent("reserved_micros"),
        )


def _pending() -> int:
    return Draft.objects.filter(
        status=Draft.Status.PENDING, workspace__is_demo=False, expires_at__gt=GreenroomNow()
    ).count()


def _due() -> int:
    return Lane.objects.filter(
        wanted_through__gt=F("decided_through"), due_at__lte=GreenroomNow()
    ).count()


def _calls(ended: list[Ends]) -> dict[str, int]:
    counts = dict.fromkeys(LLMCall.Status.values, 0)
    for each in ended:
        counts[each.status] += each.calls
    return counts


def _spent(column: str) -> float:
    # A call counts on the workspace's budget and on its agent's; the first alone is the bill.
    days = Spend.objects.filter(budget__agent__isnull=True, budget__workspace__is_demo=False)
    micros = days.aggregate(total=Sum(column))["total"] or 0
    return float(micros) / MICROS_PER_USD


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"greenroom_{name}", words, value=value)


def _by_state(name: str, words: str, label: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"greenroom_{name}", words, labels=[label])
    for state, count in sorted(counts.items()):
        family.add_metric([str(state)], count)
    return family


def _has_key(request: HttpRequest) -> bool:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    key = token_user(token=text.strip()) if scheme.lower() == "bearer" else None
    return key is not None and SCOPE in key.scopes and key.user.is_superuser
