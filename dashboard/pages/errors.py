"""Pages for what went wrong outside a view."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that a form came without its proof, and how to send it again."""
    context = {
        "title": "This form had grown old",
        "words": "Nothing was changed. Go back, reload the page and send it once more. "
        "If it keeps happening, let this site set cookies.",
        "code": int(HTTPStatus.FORBIDDEN),
    }
    return render(request, "dashboard/problem.html", context, status=HTTPStatus.FORBIDDEN)
