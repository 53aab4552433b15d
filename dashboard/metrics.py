"""Figures for Prometheus, read from the database at each scrape; labels are bounded."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from agentapp.drafts.models import Draft, Outbound
from agentapp.intake.models import Lane
from agentapp.llm.models import LLMCall, Spend

LOOPBACK = {"127.0.0.1", "::1"}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Show the figures to this machine, or to whoever sends `METRICS_TOKEN`."""
    if not _may_read(request):
        return HttpResponseForbidden("Send the METRICS_TOKEN as a bearer token.\n")
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token:
        return constant_time_compare(given, token)
    # Behind a proxy every request comes from loopback, so there a token is needed.
    forwarded = "X-Forwarded-For" in request.headers
    return not forwarded and request.META.get("REMOTE_ADDR") in LOOPBACK


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    drafts = Gauge("greenroom_drafts", "Drafts by status.", ["status"], registry=registry)
    for status, n in Draft.objects.values_list("status").annotate(n=Count("pk")):
        drafts.labels(status).set(n)
    pieces = Gauge("greenroom_outbound", "Pieces by state.", ["state"], registry=registry)
    for state, n in Outbound.objects.values_list("state").annotate(n=Count("pk")):
        pieces.labels(state).set(n)
    calls = Gauge("greenroom_llm_calls", "Model calls by status.", ["status"], registry=registry)
    for status, n in LLMCall.objects.values_list("status").annotate(n=Count("pk")):
        calls.labels(status).set(n)
    due = Gauge("greenroom_lanes_due", "Lanes with something to decide.", registry=registry)
    due.set(Lane.objects.filter(wanted_through__gt=F("decided_through")).count())
    spent = Gauge(
        "greenroom_spent_micros", "Micro-dollars spent, demo excluded.", registry=registry
    )
    real = Spend.objects.filter(~Q(budget__workspace__is_demo=True), budget__agent__isnull=True)
    spent.set(real.aggregate(total=Sum("spent_micros"))["total"] or 0)
    return registry
