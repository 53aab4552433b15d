"""What every page shares: who looks, what the frame around the page says, how errors come out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from agentapp.drafts.queries import counts
from agentapp.files.services import Given
from agentapp.foundation.errors import (
    AgentError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from agentapp.identity.models import Seat, User, Workspace
from agentapp.presence.invitations import waiting_for
from agentapp.safety.queries import stopped_workspaces
from dashboard.presenters.faces import Face, user_face

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_STATUS: tuple[tuple[type[AgentError], HTTPStatus], ...] = (
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Frame:
    """What stands around a page. Each part is read when the template first asks for it."""

    def __init__(self, user: User) -> None:
        self.user = user

    @property
    def face(self) -> Face:
        """The face of whoever looks."""
        return user_face(self.user)

    @property
    def theme(self) -> str:
        """Light, dark or auto."""
        return self.user.theme

    @cached_property
    def workspaces(self) -> list[Workspace]:
        """Where this user is an owner, the real ones before the demo."""
        return list(
            Workspace.objects.filter(seats__user=self.user, seats__role=Seat.Role.OWNER).order_by(
                "is_demo", "pk"
            )
        )

    @property
    def runs_agents(self) -> bool:
        """Whether the pages of owners are shown."""
        return bool(self.workspaces)

    @property
    def has_demo(self) -> bool:
        """Whether a demo goes on while this user looks."""
        return any(workspace.is_demo for workspace in self.workspaces)

    @cached_property
    def _counts(self) -> dict[str, int]:
        if not self.runs_agents:
            return {"real": 0, "demo": 0}
        waiting = counts(self.user)
        return {**waiting, "real": waiting["real"] + waiting_for(self.user).count()}

    @property
    def waiting(self) -> int:
        """How many approvals wait; the demo's count only while nothing real does."""
        return self._counts["real"] or self._counts["demo"]

    @cached_property
    def is_paused(self) -> bool:
        """Whether "Pause all" is on in any of the user's workspaces."""
        return bool(stopped_workspaces(workspace.pk for workspace in self.workspaces))


def page(view: View[P]) -> View[P]:
    """Let in who is logged in; show times in their zone; turn the engine's errors into answers."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with timezone.override(zone_of(member(request))):
            try:
                return view(request, *args, **kwargs)
            except NotFound as error:
                raise Http404(error.message) from error
            except AgentError as error:
                return problem(request, error)

    return cast("View[P]", login_required(wrapped))


def member(request: HttpRequest) -> User:
    """Return the user of a request that has passed `page`."""
    user = request.user
    if not isinstance(user, User):
        raise Http404
    return user


def given_files(request: HttpRequest) -> list[Given]:
    """Return the files of a form, read whole; how much there may be of them is decided before."""
    return [
        Given(each.name or "", each.read())
        for each in request.FILES.getlist("files")
        if each.size or each.name
    ]


def zone_of(user: User) -> ZoneInfo:
    """Return the user's time zone, or UTC when this machine does not know it."""
    try:
        return ZoneInfo(user.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def show(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object] | None = None,
    *,
    section: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Draw a page or fragment with the frame's values in its context."""
    return render(
        request,
        template,
        {
            "frame": Frame(member(request)),
            "section": section,
            "insecure": is_insecure(request),
            **(context or {}),
        },
        status=status,
    )


def is_insecure(request: HttpRequest) -> bool:
    """Say whether the page travels readable: plain http to another machine."""
    host = urlsplit(f"//{request.get_host()}").hostname
    return not request.is_secure() and host not in LOCAL_HOSTS


def is_fragment(request: HttpRequest) -> bool:
    """Say whether the page's script asks, which wants a part and not a whole page."""
    return request.headers.get("HX-Request") == "true"


def problem(request: HttpRequest, error: AgentError) -> HttpResponse:
    """Say what went wrong: as a note to the page's script, else on the page one came from."""
    status = next((code for family, code in _STATUS if isinstance(error, family)), 400)
    if is_fragment(request):
        note = json.dumps({"greenroom:problem": error.message})
        return HttpResponse(status=status, headers={"HX-Reswap": "none", "HX-Trigger": note})
    if request.method == "POST":
        messages.error(request, error.message)
        return back(request)
    context = {"title": "That did not work", "words": error.message, "code": int(status)}
    return render(request, "dashboard/problem.html", context, status=status)


def back(request: HttpRequest, fallback: str = "home") -> HttpResponseRedirect:
    """Return to the page the form was on, never to another site."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(
        came_from, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return HttpResponseRedirect(came_from)
    return redirect(fallback)


def done(request: HttpRequest, *, to: str = "home", said: str = "") -> HttpResponse:
    """Answer a form that worked: nothing more for the script, else back to the page."""
    if is_fragment(request):
        note = {"HX-Trigger": json.dumps({"greenroom:said": said})} if said else {}
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=note)
    if said:
        messages.success(request, said)
    return back(request, to)
