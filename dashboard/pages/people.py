"""People: who agents know, what is remembered of them and why, and what may be done about it."""

from __future__ import annotations

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError
from agentapp.foundation.text import one_line
from agentapp.identity import policy
from agentapp.identity.models import Agent, Identity, Person
from agentapp.identity.services.people import set_is_bot
from agentapp.memory.models import Memory
from agentapp.memory.services import corrections
from agentapp.privacy import queries
from agentapp.privacy import services as privacy
from agentapp.privacy.export import export_person
from agentapp.privacy.rules import Gone, counted
from dashboard.pages.frame import Frame, done, member, page, show
from dashboard.presenters.faces import agent_face
from dashboard.presenters.people import show_people, show_person

MAX_QUERY = 80  # characters


@page
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """List the people that one's agents know."""
    user = member(request)
    if not Frame(user).runs_agents:
        raise Http404
    query = one_line(request.GET.get("q", ""), limit=MAX_QUERY)
    shown = show_people(
        user,
        query=query,
        before=number(request, "before"),
        only_left=request.GET.get("left") == "yes",
    )
    return show(request, "dashboard/people.html", {"people": shown}, section="people")


@page
@require_GET
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Show one person and everything that one's agents remember of them."""
    return _person(request, _known(request, person_id))


@page
@require_GET
def person_export(request: HttpRequest, person_id: int) -> HttpResponse:
    """Hand out what one's agents hold about a person."""
    row = _known(request, person_id)
    return as_file(row, _agents(request, row))


@page
@require_POST
def person_forget(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let one's agents start again with a person, and show what went."""
    row = _known(request, person_id)
    receipt = privacy.forget(person=row, agents=_agents(request, row), by=member(request))
    return receipt_page(request, row, receipt, back=reverse("people"))


@page
@require_POST
def person_never(request: HttpRequest, person_id: int) -> HttpResponse:
    """Have nothing remembered about a person any more, or have it again."""
    row = _known(request, person_id)
    return never(request, row, back=reverse("person", args=[row.pk]))


@page
@require_http_methods(["GET", "POST"])
def memory_edit(request: HttpRequest, memory_id: int) -> HttpResponse:
    """Put a memory's words right."""
    row = _memory(request, memory_id)
    error = ""
    text = request.POST.get("text", row.text)
    if request.method == "POST":
        try:
            corrections.correct_memory(memory=row, text=text, by=member(request))
        except AgentError as refused:
            error = refused.message
        else:
            return redirect(_place(row))
    context = {
        "memory": row,
        "text": text,
        "error": error,
        "back": _place(row),
        "agent": agent_face(row.agent),
    }
    return show(
        request,
        "dashboard/memory_edit.html",
        context,
        section="people",
        status=422 if error else 200,
    )


@page
@require_POST
def memory_delete(request: HttpRequest, memory_id: int) -> HttpResponse:
    """Take a memory away; it can be taken back for a day."""
    row = _memory(request, memory_id)
    corrections.delete_memory(memory=row, by=member(request))
    return redirect(_place(row))


@page
@require_POST
def memory_restore(request: HttpRequest, memory_id: int) -> HttpResponse:
    """Take a deletion back."""
    row = _memory(request, memory_id)
    corrections.restore_memory(memory=row, by=member(request))
    return redirect(_place(row))


@page
@require_POST
def handle_kind(request: HttpRequest, person_id: int, handle_id: int) -> HttpResponse:
    """Say that a handle is a bot's, or a human's."""
    row = _known(request, person_id)
    handle = Identity.objects.filter(pk=handle_id, person=row, user__isnull=True).first()
    if handle is None:
        raise Http404
    set_is_bot(identity=handle, is_bot=request.POST.get("bot") == "yes", by=member(request))
    return done(request, to=reverse("person", args=[person_id]), said="Noted.")


def _person(request: HttpRequest, row: Person) -> HttpResponse:
    user = member(request)
    shown = show_person(
        row,
        agents=_agents(request, row),
        viewer=user,
        now=clock.now(),
        before=number(request, "before"),
    )
    return show(request, "dashboard/person.html", {"person": shown}, section="people")


def never(request: HttpRequest, row: Person, *, back: str) -> HttpResponse:
    """Set whether a person is remembered, as a form says, and go back."""
    on = request.POST.get("on") == "yes"
    privacy.set_never_remember(person=row, on=on, by=member(request))
    said = f"Nothing {row.name} says is remembered from now on." if on else "Remembered again."
    return done(request, to=back, said=said)


def receipt_page(
    request: HttpRequest, row: Person, receipt: privacy.Receipt, *, back: str
) -> HttpResponse:
    """Show what went when a person was forgotten, and what remains."""
    gone = [
        (agent_face(agent), counted(Gone(agent.name, each.memories, each.facts, each.summaries)))
        for agent, each in receipt.gone
    ]
    context = {"person": row, "receipt": receipt, "gone": gone, "back": back}
    return show(request, "dashboard/person_forgotten.html", context, section="people")


def as_file(row: Person, agents: list[Agent]) -> HttpResponse:
    """Return what agents hold about a person as a file to save."""
    body = json.dumps(export_person(person=row, agents=agents), ensure_ascii=False, indent=2)
    answer = HttpResponse(body, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="person-{row.pk}.json"'
    return answer


def _known(request: HttpRequest, person_id: int) -> Person:
    row = queries.known_people(member(request)).filter(pk=person_id).first()
    if row is None:
        raise Http404
    return row


def _agents(request: HttpRequest, row: Person) -> list[Agent]:
    return list(queries.agents_that_know(member(request), row))


def _memory(request: HttpRequest, memory_id: int) -> Memory:
    row = queries.memories_of(member(request)).select_related("agent").filter(pk=memory_id).first()
    if row is None:
        raise Http404
    policy.require(member(request), policy.Verb.MANAGE, row)
    return row


def _place(row: Memory) -> str:
    return f"{reverse('person', args=[row.person_id])}#memory-{row.pk}"


def number(request: HttpRequest, name: str) -> int | None:
    """Return a number from the address, or None without one.

    Raises:
        Http404: It is something else.
    """
    text = request.GET.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text) if text else None
