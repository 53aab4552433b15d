"""Files: taken away as they came, looked at as they were drawn anew. Never run, never sniffed."""

from __future__ import annotations

from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from agentapp.conversation.models import Attachment
from agentapp.drafts.models import DraftFile
from agentapp.files import queries
from agentapp.files.pictures import media_type
from agentapp.identity import policy
from dashboard.pages.frame import member, page

# Whatever a browser makes of the bytes, it may load nothing, run nothing and be framed nowhere.
_INERT = "default-src 'none'; frame-ancestors 'none'; sandbox"
# Types that no browser runs; anything else is just bytes.
_TOLD = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/zip"}
)


@page
@require_GET
def file(request: HttpRequest, attachment_id: int) -> HttpResponse:
    """Give a message's file to whoever may read the message."""
    row = _attached(request, attachment_id)
    return _taken(request, file_id=row.file_id, name=row.name)


@page
@require_GET
def file_picture(request: HttpRequest, attachment_id: int) -> HttpResponse:
    """Show a message's picture to whoever may read the message."""
    return _looked_at(request, file_id=_attached(request, attachment_id).file_id)


@page
@require_GET
def draft_file(request: HttpRequest, file_id: int) -> HttpResponse:
    """Give a draft's file to whoever decides about the draft."""
    row = policy.get(DraftFile, member(request), pk=file_id)
    return _taken(request, file_id=row.file_id, name=row.name)


@page
@require_GET
def draft_file_picture(request: HttpRequest, file_id: int) -> HttpResponse:
    """Show a draft's picture to whoever decides about the draft."""
    row = policy.get(DraftFile, member(request), pk=file_id)
    return _looked_at(request, file_id=row.file_id)


def _attached(request: HttpRequest, attachment_id: int) -> Attachment:
    return policy.get(
        Attachment,
        member(request),
        pk=attachment_id,
        message__is_known=True,
        message__deleted_at__isnull=True,
    )


def _taken(request: HttpRequest, *, file_id: int | None, name: str) -> HttpResponse:
    found = queries.stored(file_id) if file_id else None
    content = queries.content_of(file_id) if file_id else None
    if found is None or content is None:
        raise Http404
    kind = found.content_type if found.content_type in _TOLD else "application/octet-stream"
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return _inert(answer)


def _looked_at(request: HttpRequest, *, file_id: int | None) -> HttpResponse:
    found = queries.stored(file_id) if file_id else None
    if found is None or not found.width:
        raise Http404
    tag = f'"{found.sha256}"'
    if request.headers.get("If-None-Match") == tag:
        return _inert(HttpResponse(status=304, headers={"ETag": tag}))
    picture = queries.picture_of(found.pk)
    if picture is None:
        raise Http404
    answer = HttpResponse(picture, content_type=media_type(picture))
    answer["Content-Disposition"] = "inline"
    answer["ETag"] = tag
    return _inert(answer)


def _inert(answer: HttpResponse) -> HttpResponse:
    """Keep an answer from being more than bytes; browsers ask again before they use a copy."""
    answer["Content-Security-Policy"] = _INERT
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-cache"
    return answer
