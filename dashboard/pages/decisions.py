"""Why?: a panel over any page, and a page of its own."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from agentapp.conversation.models import Message
from agentapp.identity import policy
from agentapp.turns.models import Turn
from dashboard.pages.frame import is_fragment, member, page, show
from dashboard.presenters.whys import WhyShown, show_whys, turns_about


@page
@require_GET
def turn(request: HttpRequest, turn_id: int) -> HttpResponse:
    """Tell one thought."""
    return _panel(request, _one(request, turn_id))


@page
@require_GET
def turn_body(request: HttpRequest, turn_id: int) -> HttpResponse:
    """Tell one thought again, for a live refresh."""
    (why,) = _one(request, turn_id)
    return show(request, "parts/why.html", {"why": why})


@page
@require_GET
def message_why(request: HttpRequest, message_id: int) -> HttpResponse:
    """Tell what one's agents made of a message, or why one of them wrote it."""
    user = member(request)
    message = policy.get(Message, user, pk=message_id)
    return _panel(request, show_whys(user, turns_about(user, message)))


def _one(request: HttpRequest, turn_id: int) -> list[WhyShown]:
    user = member(request)
    whys = show_whys(user, policy.visible(Turn, user).filter(pk=turn_id))
    if not whys:
        raise Http404
    return whys


def _panel(request: HttpRequest, whys: list[WhyShown]) -> HttpResponse:
    if is_fragment(request):
        return show(request, "parts/why_frame.html", {"whys": whys})
    return show(request, "dashboard/turn.html", {"whys": whys})
