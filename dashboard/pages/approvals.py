"""Approvals: the owner reads, edits, sends, skips, snoozes, takes back."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.drafts import offers, services
from agentapp.drafts.models import Draft
from agentapp.drafts.services.bulk import Seen
from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError, Invalid, NotFound
from agentapp.foundation.text import normalised
from agentapp.identity import policy
from agentapp.identity.models import Room
from agentapp.identity.policy import Verb
from dashboard.pages.frame import back, done, given_files, is_fragment, member, page, show, zone_of
from dashboard.presenters.cards import show_cards, show_inbox, show_writing
from dashboard.presenters.choices import CHIPS, nap_end, naps
from dashboard.presenters.doors import show_invitations, show_offers


@page
@require_GET
def approvals(request: HttpRequest) -> HttpResponse:
    """Show what waits."""
    return show(request, "dashboard/approvals.html", _inbox(request), section="approvals")


@page
@require_GET
def approvals_cards(request: HttpRequest) -> HttpResponse:
    """Show the cards alone, for a live refresh."""
    return show(request, "parts/cards.html", _inbox(request))


@page
@require_GET
def draft(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Show one card; `?show=1` opens a private message's words."""
    return _card(request, _own(request, draft_id))


@page
@require_http_methods(["GET", "POST"])
def draft_edit(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Open a card's words for editing; keep them or send them edited."""
    row = _own(request, draft_id)
    if request.method == "GET":
        return _card(request, row, edit=True)
    version, content_hash = _seen(request)
    text = request.POST.get("text", "")
    try:
        if request.POST.get("then") == "send":
            services.approve(
                draft_id=row.pk,
                version=version,
                content_hash=content_hash,
                by=member(request),
                edits=text,
            )
        else:
            services.edit(draft_id=row.pk, version=version, text=text, by=member(request))
    except Invalid as error:
        row.text = normalised(text)
        return _card(request, row, edit=True, error=error)
    except AgentError as error:
        return _card(request, _own(request, draft_id), error=error)
    return _card(request, _own(request, draft_id))


@page
@require_POST
def draft_attach(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Put files on a card; what is approved from then on is the words with them."""
    row = _own(request, draft_id)
    version, _ = _seen(request)

    def attach() -> None:
        present = version
        for given in given_files(request):
            present = services.attach(
                draft_id=row.pk, version=present, given=given, by=member(request)
            ).version

    return _decide(request, row.pk, attach, stays=True)


@page
@require_POST
def draft_detach(request: HttpRequest, draft_id: int, file_id: int) -> HttpResponse:
    """Take a file off a card."""
    row = _own(request, draft_id)
    version, _ = _seen(request)
    return _decide(
        request,
        row.pk,
        lambda: services.detach(
            draft_id=row.pk, version=version, file_id=file_id, by=member(request)
        ),
        stays=True,
    )


@page
@require_POST
def draft_send(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Approve exactly the words that were on the card."""
    row = _own(request, draft_id)
    version, content_hash = _seen(request)
    return _decide(
        request,
        row.pk,
        lambda: services.approve(
            draft_id=row.pk, version=version, content_hash=content_hash, by=member(request)
        ),
    )


@page
@require_POST
def draft_skip(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Refuse a draft, with a reason from the chips or none."""
    row = _own(request, draft_id)
    code = request.POST.get("chip", "")
    label = next((chip.label for chip in CHIPS if chip.code == code), "")
    return _decide(
        request,
        row.pk,
        lambda: services.reject(draft_id=row.pk, by=member(request), chip=label),
    )


@page
@require_POST
def draft_snooze(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Put a draft away for a while."""
    row = _own(request, draft_id)
    user = member(request)
    until = nap_end(request.POST.get("until", ""), now=clock.now(), zone=zone_of(user))
    return _decide(request, row.pk, lambda: services.snooze(draft_id=row.pk, until=until, by=user))


@page
@require_POST
def draft_undo(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Bring a draft back while nothing of it has left."""
    row = _own(request, draft_id)
    return _decide(request, row.pk, lambda: services.undo(draft_id=row.pk, by=member(request)))


@page
@require_POST
def draft_retract(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Take a published message back from its room."""
    row = _own(request, draft_id)
    return _decide(request, row.pk, lambda: services.retract(draft_id=row.pk, by=member(request)))


@page
@require_POST
def offer_answer(request: HttpRequest, room_id: int, agent_id: int) -> HttpResponse:
    """Let an agent's replies in a room go on their own, or keep approving them."""
    user = member(request)
    policy.get(Room, user, pk=room_id)
    if request.POST.get("answer") == "yes":
        room = offers.accept(agent_id=agent_id, room_id=room_id, by=user)
        return done(request, to="approvals", said=f"Replies in {room} go out on their own now.")
    offers.decline(agent_id=agent_id, room_id=room_id, by=user)
    return done(request, to="approvals", said="They keep waiting for you.")


@page
@require_POST
def drafts_bulk(request: HttpRequest) -> HttpResponse:
    """Send or skip the selected cards, each as it was on screen."""
    seen = dict(map(_picked, request.POST.getlist("draft")))
    user = member(request)
    rows = [
        row
        for row in policy.visible(Draft, user)
        .filter(pk__in=seen)
        .select_related("room", "agent__workspace")
        .order_by("pk")
        if policy.can(user, Verb.APPROVE, row)
    ]
    results = services.bulk(
        drafts=rows, action=request.POST.get("action", ""), by=user, seen=seen, reason=""
    )
    failed = [result for result in results if not result.ok]
    if results and not failed:
        verb = "sent" if request.POST.get("action") == "approve" else "skipped"
        messages.success(request, f"{len(results)} {verb}.")
    for result in failed[:3]:
        messages.error(request, result.error)
    return back(request, "approvals")


def _inbox(request: HttpRequest) -> dict[str, object]:
    user, now = member(request), clock.now()
    cards, more = show_inbox(user, now=now)
    return {
        "cards": cards,
        "invitations": show_invitations(user),
        "more": more,
        "offers": show_offers(user),
        "writing": show_writing(user),
        **_choices(request),
    }


def _choices(request: HttpRequest) -> dict[str, object]:
    return {"chips": CHIPS, "naps": naps(now=clock.now(), zone=zone_of(member(request)))}


def _own(request: HttpRequest, draft_id: int) -> Draft:
    """Return a draft that this user decides about; anybody else's does not exist for them."""
    user = member(request)
    rows = policy.visible(Draft, user).select_related(
        "agent__workspace", "room__workspace", "target__author", "turn"
    )
    row = rows.filter(pk=draft_id).first()
    if row is None:
        raise NotFound
    policy.require(user, Verb.APPROVE, row)
    return row


def _seen(request: HttpRequest) -> tuple[int, str]:
    """Return the version and fingerprint of the words that were on screen."""
    version = request.POST.get("version", "")
    if not version.isascii() or not version.isdigit():
        raise Invalid("Reload the page: this card came without its version.")
    return int(version), request.POST.get("content_hash", "")


def _picked(value: str) -> tuple[int, Seen]:
    parts = value.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts[:2]):
        raise Invalid("Reload the page and select again.")
    return int(parts[0]), Seen(version=int(parts[1]), content_hash=parts[2])


def _decide(
    request: HttpRequest, draft_id: int, act: Callable[[], object], *, stays: bool = False
) -> HttpResponse:
    """Do one thing with a draft; show the card as it is then, and what went wrong.

    Args:
        stays: Without script, stay on the page one came from.
    """
    try:
        act()
    except AgentError as error:
        return _card(request, _own(request, draft_id), error=error)
    if stays and not is_fragment(request):
        return back(request, "approvals")
    return _card(request, _own(request, draft_id))


def _card(
    request: HttpRequest, row: Draft, *, edit: bool = False, error: AgentError | None = None
) -> HttpResponse:
    (card,) = show_cards([row], now=clock.now())
    context: dict[str, object] = {
        "card": card,
        "edit": edit and card.state == "waits",
        "shown": "show" in request.GET or request.method == "POST",
        "error": error.message if error else "",
        **_choices(request),
    }
    if is_fragment(request):
        return show(request, "parts/card.html", context)
    if request.method == "POST" and error is None:
        return redirect("approvals")
    status = HTTPStatus.CONFLICT if error else HTTPStatus.OK
    return show(request, "dashboard/approval.html", context, section="approvals", status=status)
