"""Costs: what was spent, on whom, and the most that may be."""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from agentapp.foundation.units import MICROS_PER_USD
from agentapp.identity import policy
from agentapp.identity.models import Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.llm import queries
from agentapp.llm import services as llm
from dashboard.forms import BudgetForm
from dashboard.pages.frame import done, member, page, show
from dashboard.presenters.money import show_agent_spend, show_spend


@page
@require_GET
def costs(request: HttpRequest) -> HttpResponse:
    """Show what was spent."""
    return _costs(request)


@page
@require_GET
def costs_today(request: HttpRequest) -> HttpResponse:
    """Show today alone, for a live refresh."""
    return show(request, "parts/costs_today.html", {"spend": show_spend(_workspace(request))})


@page
@require_POST
def budget(request: HttpRequest) -> HttpResponse:
    """Set the most that may be spent in a day."""
    workspace = _workspace(request)
    form = BudgetForm(request.POST)
    if not form.is_valid():
        return _costs(request, form)
    llm.set_budget(workspace=workspace, day_micros=form.micros(), by=member(request))
    return done(request, to="costs", said="The budget holds from now on.")


def _workspace(request: HttpRequest) -> Workspace:
    user = member(request)
    workspace = real_workspace_of(user)
    if workspace is None:
        raise Http404
    policy.require(user, Verb.MANAGE, workspace)
    return workspace


def _costs(request: HttpRequest, form: BudgetForm | None = None) -> HttpResponse:
    workspace = _workspace(request)
    spend = show_spend(workspace)
    days = queries.spend_by_day(workspace)
    limit = f"{spend.limit_micros / MICROS_PER_USD:.2f}"
    context: dict[str, object] = {
        "agents": show_agent_spend(workspace),
        "budget_form": form or BudgetForm(initial={"dollars": limit}),
        "days": days,
        "spend": spend,
        "total": sum(day.micros for day in days),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form else HTTPStatus.OK
    return show(request, "dashboard/costs.html", context, section="costs", status=status)
