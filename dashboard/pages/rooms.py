"""Rooms: the list, the talk, and how agents behave in each."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.conversation.queries import PAGE, recent
from agentapp.drafts.queries import inbox
from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError, Invalid, Refused
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, Room, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.identity.services.people import LOCAL
from agentapp.intake import services as intake
from agentapp.presence import services as presence
from dashboard.forms import RoomForm, RoomNameForm
from dashboard.pages.asking import asked_with_command, offered_commands
from dashboard.pages.frame import Frame, done, given_files, is_fragment, member, page, show
from dashboard.presenters.asides import show_asides
from dashboard.presenters.doors import show_offers
from dashboard.presenters.faces import agent_face
from dashboard.presenters.messages import EMOJIS, show_messages
from dashboard.presenters.places import AgentChoice, show_side
from dashboard.presenters.rooms import Presence, presence_in, show_room, show_rooms

SAY_KEY_BYTES = 12


@page
@require_GET
def rooms(request: HttpRequest) -> HttpResponse:
    """List the rooms."""
    context = {"rooms": show_rooms(member(request))}
    return show(request, "dashboard/rooms.html", context, section="rooms")


@page
@require_GET
def rooms_list(request: HttpRequest) -> HttpResponse:
    """Show the rows alone, for a live refresh."""
    return show(request, "parts/room_rows.html", {"rooms": show_rooms(member(request))})


@page
@require_GET
def room(request: HttpRequest, room_id: int) -> HttpResponse:
    """Show one room with its latest messages."""
    return _room(request, seen_room(request, room_id))


@page
@require_GET
def room_messages(request: HttpRequest, room_id: int) -> HttpResponse:
    """Show the latest messages, or with `?before=` a page of earlier ones."""
    row = seen_room(request, room_id)
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit()):
        raise Http404
    if before:
        return show(request, "parts/earlier_page.html", talk(request, row, before=int(before)))
    return show(request, "parts/messages.html", talk(request, row))


@page
@require_GET
def room_side(request: HttpRequest, room_id: int) -> HttpResponse:
    """Show the head, who is here and the settings, for a live refresh."""
    context = _beside(request, seen_room(request, room_id))
    return show(request, "parts/room_side_live.html", context)


@page
@require_POST
def room_say(request: HttpRequest, room_id: int) -> HttpResponse:
    """Write a message, with files or without. The same key again is the same message."""
    asked = asked_with_command(request, room_id)
    if asked is not None:
        return asked
    reply_to = request.POST.get("reply_to", "")
    intake.post_web_message(
        user=member(request),
        room_id=room_id,
        text=request.POST.get("text", ""),
        reply_to_id=int(reply_to) if reply_to.isascii() and reply_to.isdigit() else None,
        client_key=request.POST.get("client_key", ""),
        files=given_files(request),
    )
    return done(request, to="rooms")


@page
@require_http_methods(["GET", "POST"])
def room_new(request: HttpRequest) -> HttpResponse:
    """Make a room and let agents in."""
    user = member(request)
    workspace = real_workspace_of(user)
    if workspace is None:
        raise Http404
    agents = _own_agents(request, workspace)
    form = RoomForm(request.POST or None, agents=[(agent.pk, agent.name) for agent in agents])
    if request.method == "POST" and form.is_valid():
        try:
            made = identity.create_room(
                workspace=workspace,
                name=form.cleaned_data["name"],
                visibility=form.cleaned_data["visibility"],
                by=user,
            )
            for agent_id in form.cleaned_data["agents"]:
                presence.add_agent(room_id=made.pk, agent_id=agent_id, by=user)
        except AgentError as error:
            form.add_error(None, error.message)
        else:
            return redirect("room", made.pk)
    chosen = {str(value) for value in form["agents"].value() or []}
    choices = [
        (AgentChoice(agent.pk, agent_face(agent)), str(agent.pk) in chosen) for agent in agents
    ]
    context = {"form": form, "agent_choices": choices}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return show(request, "dashboard/room_new.html", context, section="rooms", status=status)


@page
@require_POST
def room_name(request: HttpRequest, room_id: int) -> HttpResponse:
    """Give a room another name."""
    row = seen_room(request, room_id)
    policy.require(member(request), Verb.MANAGE, row)
    form = RoomNameForm(request.POST)
    try:
        if form.is_valid():
            name = form.cleaned_data["name"]
            renamed = identity.rename_room(room_id=room_id, name=name, by=member(request))
            return _renamed(request, renamed)
    except Invalid as error:
        form.add_error("name", error.message)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if is_fragment(request):
        context = {**_beside(request, row), "name_form": form}
        return show(request, "parts/room_side_name.html", context, status=status)
    return _room(request, row, name_form=form, status=status)


@page
@require_POST
def room_dial(request: HttpRequest, room_id: int) -> HttpResponse:
    """Set when agents write here."""
    seen_room(request, room_id)
    identity.set_dial(room_id=room_id, dial=request.POST.get("dial", ""), by=member(request))
    return done(request, to="rooms", said="Saved.")


@page
@require_POST
def room_mode(request: HttpRequest, room_id: int) -> HttpResponse:
    """Set whether replies wait for their owner."""
    seen_room(request, room_id)
    row = identity.set_reply_mode(
        room_id=room_id, mode=request.POST.get("mode", ""), by=member(request)
    )
    if row.reply_mode == Room.ReplyMode.OWN:
        return done(request, to="rooms", said=f"Replies in {row} go out on their own now.")
    return done(request, to="rooms", said=f"Everything said in {row} waits for its owner now.")


@page
@require_POST
def room_link(request: HttpRequest, room_id: int) -> HttpResponse:
    """Make a link that lets several people in; it is shown this once."""
    row = seen_room(request, room_id)
    token = identity.make_room_link(room_id=room_id, by=member(request))
    link = request.build_absolute_uri(reverse("join", args=[token]))
    if is_fragment(request):
        return show(request, "parts/room_link.html", {"link": link})
    context = {"link": link, "room": show_room(row, Presence())}
    return show(request, "dashboard/room_link.html", context, section="rooms")


@page
@require_POST
def room_links_end(request: HttpRequest, room_id: int) -> HttpResponse:
    """Withdraw every open link into a room."""
    seen_room(request, room_id)
    identity.revoke_room_links(room_id=room_id, by=member(request))
    return done(request, to="rooms", said="The open links no longer work.")


@page
@require_POST
def room_add_agent(request: HttpRequest, room_id: int) -> HttpResponse:
    """Let an own agent into a room that one runs."""
    row = seen_room(request, room_id)
    user = member(request)
    policy.require(user, Verb.MANAGE, row)
    if row.platform != LOCAL:
        raise Refused("Invite it there. The invitation then waits under Approvals.")
    agent_id = request.POST.get("agent", "")
    if not (agent_id.isascii() and agent_id.isdigit()):
        raise Http404
    agent = policy.get(Agent, user, pk=int(agent_id))
    policy.require(user, Verb.MANAGE, agent)
    presence.add_agent(room_id=row.pk, agent_id=agent.pk, by=user)
    return done(request, to="rooms", said=f"{agent.name} is in the room.")


@page
@require_POST
def room_remove_agent(request: HttpRequest, room_id: int, agent_id: int) -> HttpResponse:
    """Take an agent out of a room."""
    row = seen_room(request, room_id)
    policy.require(member(request), Verb.MANAGE, row)
    presence.remove_agent(room_id=row.pk, agent_id=agent_id, by=member(request))
    return done(request, to="rooms", said="It is out of the room.")


def seen_room(request: HttpRequest, room_id: int) -> Room:
    """Return a room that this user may see.

    Raises:
        NotFound: There is none, or it is not theirs to see.
    """
    row = policy.get(Room, member(request), pk=room_id)
    row.workspace = Workspace.objects.get(pk=row.workspace_id)
    return row


def talk(request: HttpRequest, row: Room, *, before: int | None = None) -> dict[str, object]:
    """Return what the message list and the composer of a room show."""
    user = member(request)
    messages = recent(room_id=row.pk, before_id=before)
    earlier = ""
    if len(messages) == PAGE:
        earlier = f"{reverse('room_messages', args=[row.pk])}?before={messages[0].pk}"
    frame = Frame(user)
    if messages:
        identity.mark_read(room_id=row.pk, user=user, through=messages[-1].pk)
    return {
        "room": row,
        "frame": frame,
        "messages_shown": show_messages(messages, user_id=user.pk, has_why=frame.runs_agents),
        "is_earlier": before is not None,
        "earlier_url": earlier,
        "can_chat": row.platform == "local" and policy.can(user, Verb.CHAT, row),
        "emojis": EMOJIS,
        "client_key": secrets.token_hex(SAY_KEY_BYTES),
    }


def _room(
    request: HttpRequest, row: Room, *, status: int = HTTPStatus.OK, **changed: object
) -> HttpResponse:
    typed = {
        "asides": show_asides(member(request), room_id=row.pk),
        "commands": offered_commands(request, row),
    }
    context = {**talk(request, row), **_beside(request, row), **typed, **changed}
    return show(request, "dashboard/room.html", context, section="rooms", status=status)


def _renamed(request: HttpRequest, row: Room) -> HttpResponse:
    said = f"The room is called {row} now."
    if not is_fragment(request):
        return done(request, to="rooms", said=said)
    context = {**_beside(request, row), "is_renamed": True}
    answer = show(request, "parts/room_side_name.html", context)
    answer["HX-Trigger"] = json.dumps({"greenroom:said": said})
    return answer


def _beside(request: HttpRequest, row: Room) -> dict[str, object]:
    """Return what the head and the side of a room show."""
    user = member(request)
    here = presence_in([row])[row.pk]
    shown = show_room(row, here, waiting=inbox(user).filter(room=row).count())
    return {
        "room": shown,
        "side": show_side(user, row, here, now=clock.now()),
        "offers": show_offers(user, room_id=row.pk),
        "name_form": RoomNameForm(initial={"name": shown.name}),
    }


def _own_agents(request: HttpRequest, workspace: Workspace) -> list[Agent]:
    live = [Agent.Status.TRIAL, Agent.Status.LIVE, Agent.Status.PAUSED]
    return list(
        Agent.objects.filter(owner=member(request), workspace=workspace, status__in=live).order_by(
            "name"
        )
    )
