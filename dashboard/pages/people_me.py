"""What members may see and decide about themselves, beside the room they talk in."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agentapp.commands.clearing import forget_words
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Person
from agentapp.memory.models import Memory
from agentapp.memory.services import corrections
from agentapp.privacy import queries
from agentapp.privacy import services as privacy
from dashboard.pages.frame import done, member, page, show
from dashboard.pages.people import as_file, never, number, receipt_page
from dashboard.pages.rooms import seen_room
from dashboard.presenters.people import show_person


@page
@require_GET
def me(request: HttpRequest, room_id: int) -> HttpResponse:
    """Show what all agents of a room's workspace remember of whoever looks."""
    room = seen_room(request, room_id)
    row = queries.person_behind(member(request), workspace_id=room.workspace_id)
    shown = row and show_person(
        row,
        agents=list(queries.agents_knowing(row)),
        viewer=member(request),
        now=clock.now(),
        before=number(request, "before"),
    )
    context = {"person": shown, "room_id": room_id}
    return show(request, "dashboard/person_me.html", context, section="rooms")


@page
@require_GET
def me_export(request: HttpRequest, room_id: int) -> HttpResponse:
    """Hand out what is held about whoever asks."""
    return as_file(*_self(request, room_id))


@page
@require_POST
def me_forget(request: HttpRequest, room_id: int) -> HttpResponse:
    """Let all agents start again with whoever asks, and show what went."""
    row, agents = _self(request, room_id)
    forget_words(person=row)
    receipt = privacy.forget(person=row, agents=agents, by=member(request))
    return receipt_page(request, row, receipt, back=reverse("me", args=[room_id]))


@page
@require_POST
def me_never(request: HttpRequest, room_id: int) -> HttpResponse:
    """Have nothing remembered of whoever asks any more, or have it again."""
    row, _ = _self(request, room_id)
    return never(request, row, back=reverse("me", args=[room_id]))


@page
@require_POST
def me_delete(request: HttpRequest, room_id: int, memory_id: int) -> HttpResponse:
    """Take away one thing that is remembered of whoever asks."""
    row, agents = _self(request, room_id)
    memory = Memory.objects.filter(pk=memory_id, person=row, agent__in=agents).first()
    if memory is None:
        raise Http404
    corrections.delete_memory(memory=memory, by=member(request))
    return done(request, to=reverse("me", args=[room_id]), said="It is gone.")


def _self(request: HttpRequest, room_id: int) -> tuple[Person, list[Agent]]:
    """Return who looks, and the agents of the workspace that know them."""
    room = seen_room(request, room_id)
    row = queries.person_behind(member(request), workspace_id=room.workspace_id)
    if row is None:
        raise Http404
    return row, list(queries.agents_knowing(row))
