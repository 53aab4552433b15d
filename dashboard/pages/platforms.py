"""Platforms: give agents logins, see how they fare, and decide where they may talk."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from agentapp.appservices.makers import offered as services_offered
from agentapp.cards.linking import make_code, unlink
from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity.models import Account
from agentapp.identity.platforms import Details, Platform, WrongAnswer, offered, offered_as
from agentapp.identity.policy import Verb
from agentapp.identity.queries import agents_of, logins_of
from agentapp.identity.services import logins
from agentapp.intake.departures import end_login
from agentapp.intake.doorways import pick_doorway
from agentapp.presence import doorways
from agentapp.presence import services as presence
from agentapp.presence.invitations import accept_invitation, decline_invitation
from agentapp.presence.models import Doorway, Membership
from dashboard.login_forms import LoginForm
from dashboard.pages.frame import Frame, done, is_fragment, member, page, show
from dashboard.presenters.platforms import show_logins


@page
@require_GET
def platforms(request: HttpRequest) -> HttpResponse:
    """Show the logins and a form for one more, filled in for `?agent=` or `?again=`."""
    return _platforms(request)


@page
@require_GET
def platform_logins(request: HttpRequest) -> HttpResponse:
    """Show the logins alone, for a live refresh."""
    _owner(request)
    return show(request, "parts/logins.html", {"logins": show_logins(member(request))})


@page
@require_POST
def login_add(request: HttpRequest, platform: str) -> HttpResponse:
    """Prove a login with its platform, then keep it."""
    _owner(request)
    form = _form(request, offered_as(platform), bound=True)
    made = None
    if form.is_valid():
        try:
            made = logins.connect(
                agent_id=form.cleaned_data["agent"],
                platform=platform,
                answers=form.answers(),
                by=member(request),
            )
        except WrongAnswer as error:
            form.object_to(error)
        except AgentError as error:
            form.add_error(None, error.message)
    if made is not None:
        form = _form(request, form.platform)
    status = HTTPStatus.OK if made else HTTPStatus.UNPROCESSABLE_ENTITY
    if is_fragment(request):
        return show(request, "parts/login_form.html", {"form": form, "made": made}, status=status)
    return _platforms(request, form=form, made=made, status=status)


@page
@require_POST
def login_again(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Let a login that has trouble begin anew at once."""
    logins.try_again(account_id=_login(request, login_id).pk, by=member(request))
    return done(request, to="platforms", said="It tries again now.")


@page
@require_POST
def login_remove(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Take a login away."""
    row = _login(request, login_id)
    end_login(account_id=row.pk, by=member(request))
    return done(request, to="platforms", said=f"{row.external_id} leaves its rooms and logs out.")


@page
@require_POST
def invitation_accept(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Let an agent go where it was invited."""
    row = _membership(request, membership_id)
    accept_invitation(membership_id=row.pk, by=member(request))
    said = f"{row.agent.name} goes into {row.room}. What it says there waits for you."
    return done(request, to="platforms", said=said)


@page
@require_POST
def invitation_decline(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Let an agent stay away."""
    row = _membership(request, membership_id)
    decline_invitation(membership_id=row.pk, by=member(request))
    return done(request, to="platforms", said=f"{row.agent.name} stays out of {row.room}.")


@page
@require_POST
def doorway_pick(request: HttpRequest, doorway_id: int) -> HttpResponse:
    """Let an agent into a channel that its login is shown."""
    row = policy.get(Doorway, member(request), pk=doorway_id)
    membership = pick_doorway(doorway_id=row.pk, by=member(request))
    said = f"{membership.agent.name} goes into {row.name}. What it says there waits for you."
    return done(request, to="platforms", said=said)


@page
@require_POST
def group_leave(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Have a login leave a whole server."""
    row = _login(request, login_id)
    group_id = request.POST.get("group", "")
    name = doorways.leave_group(account_id=row.pk, group_id=group_id, by=member(request))
    return done(request, to="platforms", said=f"It leaves {name}.")


@page
@require_POST
def cards_code(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Make a code with which this person proves their handle to a login."""
    row = _login(request, login_id)
    code = make_code(account_id=row.pk, by=member(request))
    name = Details.unpacked(row.details).name or row.external_id
    if is_fragment(request):
        return show(request, "parts/login_code.html", {"code": code, "name": name})
    said = f"Write /link {code} to {name} in a direct message within ten minutes."
    return done(request, to="platforms", said=said)


@page
@require_POST
def cards_end(request: HttpRequest) -> HttpResponse:
    """Bring this person no more cards."""
    _owner(request)
    unlink(by=member(request))
    return done(request, to="platforms", said="Approvals wait here only.")


@page
@require_POST
def membership_voice(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Let an agent talk in a room, or only listen there."""
    row = _membership(request, membership_id)
    may_talk = request.POST.get("voice") == "talk"
    presence.set_voice(membership_id=row.pk, may_talk=may_talk, by=member(request))
    what = "may talk in" if may_talk else "only listens in"
    return done(request, to="platforms", said=f"{row.agent.name} {what} {row.room} now.")


@page
@require_POST
def membership_leave(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Take an agent out of a room."""
    row = _membership(request, membership_id)
    presence.remove_agent(room_id=row.room_id, agent_id=row.agent_id, by=member(request))
    return done(request, to="platforms", said=f"{row.agent.name} leaves {row.room}.")


def _platforms(
    request: HttpRequest, *, status: int = HTTPStatus.OK, **changed: object
) -> HttpResponse:
    _owner(request)
    context: dict[str, object] = {"logins": show_logins(member(request)), "made": None, **changed}
    forms = [_form(request, one) for one in offered()]
    shown = context.pop("form", None)
    if isinstance(shown, LoginForm):
        forms = [shown if one.platform is shown.platform else one for one in forms]
    return show(
        request,
        "dashboard/platforms.html",
        {**context, "forms": forms, "with_services": services_offered()},
        section="platforms",
        status=status,
    )


def _form(request: HttpRequest, platform: Platform, *, bound: bool = False) -> LoginForm:
    agents = list(agents_of(member(request)).filter(workspace__is_demo=False))
    initial: dict[str, object] = {}
    asked = request.GET.get("agent", "")
    if asked.isascii() and asked.isdigit():
        initial["agent"] = int(asked)
    again = _asked_again(request, platform)
    if again is not None:
        initial = {"agent": again.agent_id, platform.questions[0].name: again.external_id}
    data = request.POST if bound else None
    return LoginForm(data, agents=agents, platform=platform, initial=initial)


def _asked_again(request: HttpRequest, platform: Platform) -> Account | None:
    """Return the login that is to be made anew."""
    try:
        asked = uuid.UUID(request.GET.get("again", ""))
    except ValueError:
        return None
    return logins_of(member(request)).filter(pk=asked, platform=platform.code).first()


def _owner(request: HttpRequest) -> None:
    if not Frame(member(request)).runs_agents:
        raise Http404


def _login(request: HttpRequest, login_id: uuid.UUID) -> Account:
    row = policy.get(Account, member(request), pk=login_id)
    policy.require(member(request), Verb.MANAGE, row)
    return row


def _membership(request: HttpRequest, membership_id: int) -> Membership:
    rows = policy.visible(Membership, member(request)).select_related("agent", "room")
    row = rows.filter(pk=membership_id).first()
    if row is None:
        raise Http404
    policy.require(member(request), Verb.MANAGE, row)
    return row
