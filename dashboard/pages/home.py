"""Home: what waits, what is being said, what today costs; and the switch that stops it all."""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from agentapp.conversation.queries import recent
from agentapp.demo import queries as demo_queries
from agentapp.demo import services as demo_services
from agentapp.foundation import clock
from agentapp.foundation.units import dollars
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import Room, Workspace
from agentapp.identity.queries import real_workspace_of
from agentapp.notifications.models import Notification
from agentapp.notifications.services import mark_read
from agentapp.presence.queries import present
from agentapp.safety import services as safety
from dashboard.pages.frame import Frame, done, is_fragment, member, page, show
from dashboard.presenters.agents import agents_on_list, show_agents
from dashboard.presenters.cards import show_inbox
from dashboard.presenters.faces import agent_face
from dashboard.presenters.messages import MessageShown, show_messages
from dashboard.presenters.money import show_spend
from dashboard.presenters.notes import show_notes
from dashboard.presenters.rooms import joined, presence_in, show_room, show_rooms
from dashboard.presenters.steps import show_steps

MAX_WAITING = 4
MAX_ROOMS = 5
MAX_AGENTS = 6
DEMO_MESSAGES = 12

_DEMO_QUIET = "The first words come in a moment."
_DEMO_WORDS = {
    "running": "{names} are agents; everybody else here follows a script. Nothing counts anywhere.",
    "paused": "It goes on while somebody watches.",
    "stopped": "The script has ended. The agents still answer you.",
}


@page
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the first page."""
    frame = Frame(member(request))
    if not frame.runs_agents:
        context: dict[str, object] = {"rooms": show_rooms(frame.user)}
        return show(request, "dashboard/rooms.html", context, section="home")
    workspace = _workspace(request)
    context = {
        "frame": frame,
        "head": _head(request),
        "notes": show_notes(frame.user),
        "demo": _demo(request),
        "cards": _waits(request),
        "rooms": show_rooms(frame.user, limit=MAX_ROOMS),
        "steps": show_steps(frame.user, workspace),
        "spend": show_spend(workspace),
        "agents": _agents(request),
    }
    return show(request, "dashboard/home.html", context, section="home")


@page
@require_GET
def home_head(request: HttpRequest) -> HttpResponse:
    """Show the headline alone."""
    return show(request, "parts/home_head.html", {"head": _head(request)})


@page
@require_GET
def home_notes(request: HttpRequest) -> HttpResponse:
    """Show the notes alone."""
    return show(request, "parts/home_notes.html", {"notes": show_notes(member(request))})


@page
@require_POST
def note_read(request: HttpRequest, note_id: int) -> HttpResponse:
    """Put a note away."""
    user = member(request)
    policy.get(Notification, user, pk=note_id)
    mark_read(user=user, ids=[note_id])
    return HttpResponse(status=HTTPStatus.OK) if is_fragment(request) else done(request)


@page
@require_GET
def home_waits(request: HttpRequest) -> HttpResponse:
    """Show what waits alone."""
    return show(request, "parts/home_waits.html", {"cards": _waits(request)})


@page
@require_GET
def home_rooms(request: HttpRequest) -> HttpResponse:
    """Show the liveliest rooms alone."""
    rooms = show_rooms(member(request), limit=MAX_ROOMS)
    return show(request, "parts/room_rows.html", {"rooms": rooms})


@page
@require_GET
def home_steps(request: HttpRequest) -> HttpResponse:
    """Show the first steps alone."""
    steps = show_steps(member(request), _workspace(request))
    return show(request, "parts/home_steps.html", {"steps": steps})


@page
@require_GET
def home_cost(request: HttpRequest) -> HttpResponse:
    """Show today's spend alone."""
    return show(request, "parts/home_cost.html", {"spend": show_spend(_workspace(request))})


@page
@require_GET
def home_agents(request: HttpRequest) -> HttpResponse:
    """Show the agents alone."""
    return show(request, "parts/home_agents.html", {"agents": _agents(request)})


@page
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    """Show the counts and switches of the frame, for a live refresh on any page."""
    return show(request, "parts/status.html")


@page
@require_POST
def pause_all(request: HttpRequest) -> HttpResponse:
    """Stop every agent of the workspaces this user owns."""
    user = member(request)
    for workspace in Frame(user).workspaces:
        safety.stop(
            scope="workspace", workspace_id=workspace.pk, by=user, reason="Everything is paused."
        )
    return done(request)


@page
@require_POST
def resume_all(request: HttpRequest) -> HttpResponse:
    """Let the agents of the workspaces this user owns go on."""
    user = member(request)
    for workspace in Frame(user).workspaces:
        safety.release(scope="workspace", workspace_id=workspace.pk, by=user)
    return done(request)


@page
@require_GET
def demo_talk(request: HttpRequest) -> HttpResponse:
    """Show the demo room's latest messages."""
    demo = _demo(request)
    if demo is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return show(
        request,
        "parts/messages.html",
        {"messages_shown": demo["messages"], "quiet_hint": _DEMO_QUIET},
    )


@page
@require_POST
def demo_remove(request: HttpRequest) -> HttpResponse:
    """Delete the demo with everything in it."""
    demo_services.remove(user=member(request))
    return done(request, said="The demo is gone.")


@page
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep light, dark or auto with the account."""
    identity.set_theme(user=member(request), theme=request.POST.get("theme", ""))
    return done(request)


def _workspace(request: HttpRequest) -> Workspace:
    workspace = real_workspace_of(member(request))
    if workspace is None:
        raise Http404
    return workspace


def _waits(request: HttpRequest) -> object:
    cards, _ = show_inbox(member(request), now=clock.now())
    return [card for card in cards if card.state == "waits"][:MAX_WAITING]


def _agents(request: HttpRequest) -> object:
    user = member(request)
    return show_agents(list(agents_on_list(user)[:MAX_AGENTS]), user=user, now=clock.now())


def _head(request: HttpRequest) -> dict[str, str]:
    user = member(request)
    waiting = Frame(user).waiting
    tiles = show_agents(list(agents_on_list(user)), user=user, now=clock.now())
    tiles = [tile for tile in tiles if not tile.is_demo]
    awake = sum(tile.state.dot == "awake" for tile in tiles)
    spend = show_spend(_workspace(request))
    titles = {0: "Nothing waits for you", 1: "One thing waits for you"}
    money = f"{dollars(spend.spent_micros)} of {dollars(spend.limit_micros)} spent today."
    agents = (
        f"{len(tiles)} agents, {awake} awake." if len(tiles) != 1 else f"One agent, {awake} awake."
    )
    return {
        "title": titles.get(waiting, f"{waiting} things wait for you"),
        "line": f"{agents if tiles else 'No agents yet.'} {money}",
    }


def _demo(request: HttpRequest) -> dict[str, object] | None:
    """Return the demo's room and talk, or None when there is no demo."""
    user = member(request)
    view = demo_queries.get_view(user=user, now=clock.now())
    if view is None:
        return None
    room = Room.objects.select_related("workspace").get(pk=view.room_id)
    here = presence_in([room])[room.pk]
    messages: list[MessageShown] = show_messages(
        recent(room_id=room.pk, limit=DEMO_MESSAGES), user_id=user.pk, has_why=True
    )
    agents = [seat.agent for seat in present(room_id=room.pk)]
    names = joined([agent.name for agent in agents])
    return {
        "room": show_room(room, here),
        "messages": messages,
        "agents": [{"agent_id": agent.pk, "face": agent_face(agent)} for agent in agents],
        "words": _DEMO_WORDS[view.state].format(names=names),
    }
