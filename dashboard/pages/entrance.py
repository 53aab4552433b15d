"""Ways in: the one-time login link and a room's link. Opening one changes nothing."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agentapp.demo import services as demo
from agentapp.foundation.errors import AgentError, Invalid
from agentapp.identity import services as identity
from agentapp.identity.models import Room, User
from agentapp.identity.queries import login_link_is_open, room_of_link
from dashboard.forms import JoinForm
from dashboard.pages.frame import Frame, is_insecure
from dashboard.presenters.rooms import ai_notice, presence_in, show_room


@never_cache
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button for a login link; the button uses the link up."""
    if request.method == "GET":
        if login_link_is_open(token=token):
            context = {"insecure": is_insecure(request)}
            return render(request, "dashboard/start.html", context)
        return _used(request, "It was used before, or it is older than an hour.")
    try:
        user = identity.consume_login_link(token=token)
    except AgentError as error:
        return _used(request, error.message)
    _log_in(request, user)
    demo.start_at_login(user=user)
    return redirect("home")


@never_cache
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Show who is in a room and ask for a name; let in whoever gives one."""
    room = room_of_link(token=token)
    if room is None:
        context: dict[str, object] = {
            "title": "This invitation has ended",
            "words": "Links into rooms work for a while and for a number of people. "
            "Ask whoever sent it for a new one.",
            "code": int(HTTPStatus.NOT_FOUND),
        }
        return render(request, "dashboard/problem.html", context, status=HTTPStatus.NOT_FOUND)
    known = request.user if isinstance(request.user, User) else None
    form = JoinForm(request.POST or None)
    if request.method == "POST" and (known is not None or form.is_valid()):
        name = "" if known else form.cleaned_data["name"]
        try:
            user, room = identity.join_by_link(token=token, name=name, user=known)
        except Invalid as error:
            form.add_error("name", error.message)
        else:
            if known is None:
                _log_in(request, user)
            return redirect("room", room.pk)
    return _doorstep(request, room, form=None if known else form)


def _doorstep(request: HttpRequest, room: Room, *, form: JoinForm | None) -> HttpResponse:
    here = presence_in([room])[room.pk]
    context = {
        "ai_notice": ai_notice(here),
        "form": form,
        "frame": Frame(request.user) if isinstance(request.user, User) else None,
        "insecure": is_insecure(request),
        "room": show_room(room, here),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form and form.errors else HTTPStatus.OK
    return render(request, "dashboard/join.html", context, status=status)


def _log_in(request: HttpRequest, user: User) -> None:
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])


def _used(request: HttpRequest, problem: str) -> HttpResponse:
    context = {"insecure": is_insecure(request), "problem": problem}
    return render(request, "dashboard/start_used.html", context, status=HTTPStatus.GONE)
