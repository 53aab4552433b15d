"""One message: react, edit, delete, and correct or take back what an own agent said."""

from __future__ import annotations

import json
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.conversation.models import Message
from agentapp.conversation.queries import get_message
from agentapp.drafts import services as drafts
from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation.errors import AgentError, Invalid, NotFound
from agentapp.identity import policy
from agentapp.identity.models import Room
from agentapp.identity.policy import Verb
from agentapp.intake import services as intake
from dashboard.pages.frame import Frame, done, member, page, show
from dashboard.presenters.messages import EMOJIS, show_messages


@page
@require_GET
def message(request: HttpRequest, message_id: int) -> HttpResponse:
    """Show one message as it stands in its room."""
    return _shown(request, message_id)


@page
@require_http_methods(["GET", "POST"])
def message_edit(request: HttpRequest, message_id: int) -> HttpResponse:
    """Open an own message for editing, or save it."""
    if request.method == "GET":
        return _shown(request, message_id, template="parts/message_edit.html")
    _seen(request, message_id)
    try:
        intake.edit_web_message(
            user=member(request), message_id=message_id, text=request.POST.get("text", "")
        )
    except Invalid as error:
        return _shown(request, message_id, template="parts/message_edit.html", error=error.message)
    return _shown(request, message_id)


@page
@require_http_methods(["GET", "POST"])
def message_correct(request: HttpRequest, message_id: int) -> HttpResponse:
    """Open what an own agent said for correcting, or send the new words to its room."""
    _decides(request, message_id)
    template = "parts/message_correct.html"
    if request.method == "GET":
        return _shown(request, message_id, template=template)
    try:
        drafts.correct(message_id=message_id, text=request.POST.get("text", ""), by=member(request))
    except AgentError as error:
        return _shown(request, message_id, template=template, error=error.message)
    answer = _shown(request, message_id)
    answer["HX-Trigger"] = json.dumps({"greenroom:said": "The new words are on their way."})
    return answer


@page
@require_POST
def message_retract(request: HttpRequest, message_id: int) -> HttpResponse:
    """Take what an own agent said back from its room."""
    draft_id = _decides(request, message_id)
    drafts.retract(draft_id=draft_id, by=member(request))
    return done(request, to="rooms", said="It is being taken back.")


def _decides(request: HttpRequest, message_id: int) -> int:
    """Return the draft that a message came from, for whoever decides about it."""
    _seen(request, message_id)
    user = member(request)
    row = (
        policy.visible(Draft, user)
        .filter(pieces__message=message_id, pieces__action=Outbound.Action.SEND)
        .select_related("agent__workspace")
        .first()
    )
    if row is None:
        raise NotFound
    policy.require(user, Verb.APPROVE, row)
    return row.pk


@page
@require_POST
def message_delete(request: HttpRequest, message_id: int) -> HttpResponse:
    """Take a message back."""
    _seen(request, message_id)
    intake.delete_web_message(user=member(request), message_id=message_id)
    return done(request, to="rooms")


@page
@require_POST
def message_react(request: HttpRequest, message_id: int) -> HttpResponse:
    """Put an emoji on a message, or take one's own away."""
    _seen(request, message_id)
    intake.react_web(
        user=member(request),
        message_id=message_id,
        emoji=request.POST.get("emoji", ""),
        present=request.POST.get("present") != "0",
    )
    return done(request, to="rooms")


def _seen(request: HttpRequest, message_id: int) -> Message:
    return policy.get(Message, member(request), pk=message_id)


def _shown(
    request: HttpRequest, message_id: int, *, template: str = "parts/message.html", error: str = ""
) -> HttpResponse:
    _seen(request, message_id)
    row = get_message(message_id=message_id)
    if row is None:
        raise Http404
    user = member(request)
    frame = Frame(user)
    room = Room.objects.get(pk=row.room_id)
    (shown,) = show_messages([row], user_id=user.pk, has_why=frame.runs_agents)
    context = {
        "frame": frame,
        "message": shown,
        "room": room,
        "emojis": EMOJIS,
        "can_chat": room.platform == "local" and policy.can(user, Verb.CHAT, room),
        "error": error,
        "alone": True,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return show(request, template, context, status=status)
