"""One login's encryption: on or off, its fingerprint, its room keys out and in."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity.models import Account
from agentapp.identity.policy import Verb
from agentapp.keyring import turning
from agentapp.keyring.makers import is_offered, maker_for
from agentapp.keyring.showing import in_blocks, rings_of, room_keys
from dashboard.pages.frame import done, member, page, show
from dashboard.presenters.faces import agent_face

MOST_PASSWORD = 4_000  # characters


@page
@require_GET
def login_encryption(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Show how a login fares with encrypted rooms, and what its owner can do about it."""
    return _page(request, _login(request, login_id))


@sensitive_post_parameters("password")
@page
@require_POST
def encryption_on(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Make keys for a login, show them to its platform, and read with them from now on."""
    row = _login(request, login_id)
    password = request.POST.get("password", "")[:MOST_PASSWORD]
    try:
        turning.turn_on(account_id=row.pk, password=password, by=member(request))
    except AgentError as error:
        return _page(request, row, on_error=error.message)
    return redirect("login_encryption", login_id=row.pk)


@page
@require_POST
def encryption_off(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Have a login no longer read and write encrypted rooms."""
    row = _login(request, login_id)
    turning.turn_off(account_id=row.pk, by=member(request))
    return done(request, to="platforms", said=f"{row.external_id} reads no encrypted rooms now.")


@sensitive_post_parameters("passphrase")
@page
@require_POST
def encryption_export(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Hand out the keys of a login's rooms, as a file locked by a phrase."""
    row = _login(request, login_id)
    try:
        content = turning.export_keys(
            account_id=row.pk, passphrase=request.POST.get("passphrase", ""), by=member(request)
        )
    except AgentError as error:
        return _page(request, row, export_error=error.message)
    answer = HttpResponse(content, content_type="text/plain; charset=us-ascii")
    answer["Content-Disposition"] = 'attachment; filename="room-keys.txt"'
    answer["Cache-Control"] = "no-store"
    return answer


@sensitive_post_parameters("passphrase")
@page
@require_POST
def encryption_import(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    """Take in room keys that another app wrote down."""
    row = _login(request, login_id)
    file = request.FILES.get("file")
    content = file.read(turning.MOST_IMPORT + 1) if file else b""
    try:
        count = turning.import_keys(
            account_id=row.pk,
            content=content,
            passphrase=request.POST.get("passphrase", ""),
            by=member(request),
        )
    except AgentError as error:
        return _page(request, row, import_error=error.message)
    return _page(request, row, imported=count)


def _page(request: HttpRequest, row: Account, **said: object) -> HttpResponse:
    ring = rings_of([row])[row.pk]
    context = {
        "login": row,
        "agent": agent_face(row.agent),
        "ring": ring,
        "blocks": in_blocks(ring.fingerprint),
        "room_keys": room_keys(row, maker_for(row.platform).portable),
        "least_phrase": turning.LEAST_PHRASE,
        **said,
    }
    is_wrong = any(name.endswith("_error") for name in said)
    return show(
        request,
        "dashboard/encryption.html",
        context,
        section="platforms",
        status=422 if is_wrong else 200,
    )


def _login(request: HttpRequest, login_id: uuid.UUID) -> Account:
    row = policy.get(Account, member(request), pk=login_id)
    policy.require(member(request), Verb.MANAGE, row)
    if row.state != Account.State.ON or not is_offered(row.platform):
        raise Http404
    return row
