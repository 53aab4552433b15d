"""Words in a web room that ask something about their writer: answered to them alone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agentapp.identity import policy
from agentapp.identity.models import Room
from agentapp.privacy import asking, queries
from agentapp.privacy.rules import parse_wish
from dashboard.pages.frame import is_fragment, member

_ANSWER = "about_me"
NOBODY = "Nothing is remembered of you: you have not said anything here yet."


def asked_about_oneself(request: HttpRequest, room_id: int) -> HttpResponse | None:
    """Do what the words of a form ask for their writer; nothing of it reaches the room.

    Returns:
        The way to the page that answers; None for what is talk.
    """
    wish = parse_wish(request.POST.get("text", ""))
    if wish is None:
        return None
    user = member(request)
    room = policy.get(Room, user, pk=room_id)
    person = queries.person_behind(user, workspace_id=room.workspace_id)
    words = asking.grant(person, wish, by=user) if person else NOBODY
    request.session[_ANSWER] = words.replace("`", "")
    answer = reverse("me", args=[room_id])
    if is_fragment(request):
        return HttpResponse(headers={"HX-Redirect": answer})
    return redirect(answer)


def answer_of(request: HttpRequest) -> str:
    """Return what was answered to the last wish, once."""
    return str(request.session.pop(_ANSWER, ""))
