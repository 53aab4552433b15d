"""Commands in web rooms: what is typed with `/` or `!`, and the answers for one's own eyes."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.commands import links, registry
from agentapp.commands.clearing import dismiss
from agentapp.commands.services import carry_out
from agentapp.commands.shapes import Call, Parsed, Where
from agentapp.conversation.models import Message
from agentapp.foundation.envelope import Author, Place
from agentapp.foundation.errors import Invalid
from agentapp.identity import policy
from agentapp.identity.models import Room
from agentapp.identity.policy import Verb
from agentapp.identity.services.people import LOCAL, ensure_local_identity, user_handle
from agentapp.presence.models import Membership
from dashboard.pages.frame import done, is_fragment, is_insecure, member, page, show
from dashboard.presenters.asides import CommandShown, show_asides, show_commands

KEY_BYTES = 12


def asked_with_command(request: HttpRequest, room_id: int) -> HttpResponse | None:
    """Carry out the command that a form's words are; only `/ask` shows in the room.

    Returns:
        What answers the form; None for what is talk.
    """
    text = request.POST.get("text", "")
    room = policy.get(Room, member(request), pk=room_id)
    target = _target(request, room)
    parsed = _parsed(request, room, text, target)
    if parsed is None or room.platform != LOCAL:
        return None
    answer = carry_out(_call(request, room, parsed, target))
    if not answer.is_done:
        raise Invalid(answer.words)
    return done(request, to="rooms")


def _parsed(request: HttpRequest, room: Room, text: str, target: Message | None) -> Parsed | None:
    here = Membership.objects.filter(room=room, left_at__isnull=True)
    names = dict(here.order_by("-agent_id").values_list("agent__name", "agent_id"))
    author = target.author if target else None
    is_reply = author is not None and author.agent_id in names.values()
    return registry.parse(
        text,
        names=names,
        is_addressed=room.kind == Room.Kind.DIRECT or is_reply,
        is_moderator=_moderates(request, room),
    )


def _moderates(request: HttpRequest, room: Room) -> bool:
    user = member(request)
    return policy.can(user, Verb.MODERATE, room) or policy.can(user, Verb.MANAGE, room)


def _target(request: HttpRequest, room: Room) -> Message | None:
    """Return the message of the room that a form replies to."""
    number = request.POST.get("reply_to", "")
    if not (number.isascii() and number.isdigit()):
        return None
    rows = Message.objects.filter(pk=int(number), room=room, is_known=True)
    return rows.select_related("author").first()


def _call(request: HttpRequest, room: Room, parsed: Parsed, target: Message | None) -> Call:
    user = member(request)
    ensure_local_identity(user=user, workspace=room.workspace)
    key = request.POST.get("client_key", "") or secrets.token_hex(KEY_BYTES)
    return Call(
        workspace_id=room.workspace_id,
        platform=LOCAL,
        place=Place(room.external_id, kind=room.kind),
        author=Author(user_handle(user), str(user)),
        command=parsed.command.name,
        external_id=f"{user_handle(user)}:{key}",
        options=parsed.options,
        target=target.external_id if target else "",
        called=parsed.called,
        is_moderator=_moderates(request, room),
        shows_answer=True,
    )


@page
@require_GET
def room_asides(request: HttpRequest, room_id: int) -> HttpResponse:
    """Show the answers for one's own eyes that wait in a room."""
    policy.get(Room, member(request), pk=room_id)
    return _asides(request, room_id)


@page
@require_POST
def aside_dismiss(request: HttpRequest, call_id: int) -> HttpResponse:
    """Take an answer away that one has read."""
    room_id = dismiss(user=member(request), call_id=call_id)
    if room_id is None or not is_fragment(request):
        return done(request, to="rooms")
    return _asides(request, room_id)


def _asides(request: HttpRequest, room_id: int) -> HttpResponse:
    context = {"asides": show_asides(member(request), room_id=room_id)}
    return show(request, "parts/asides.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button for a link to private words; the button shows them, once."""
    context: dict[str, object] = {"insecure": is_insecure(request)}
    if request.method == "GET" and links.is_open(token):
        return render(request, "dashboard/answer.html", context)
    try:
        if request.method == "POST":
            context["words"] = links.open_once(token)
            return render(request, "dashboard/answer.html", context)
    except links.LinkSpent:
        pass
    return render(request, "dashboard/answer_gone.html", context, status=HTTPStatus.GONE)


def offered_commands(request: HttpRequest, room: Room) -> list[CommandShown]:
    """Return the commands that whoever looks may type in a web room; none elsewhere."""
    if room.platform != LOCAL:
        return []
    where = Where.DIRECT if room.kind == Room.Kind.DIRECT else Where.ROOM
    return show_commands(where, is_moderator=_moderates(request, room))
