"""Who gets in, and what the pages of the login know about who looks."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from typing_extensions import override

from agentapp.identity.models import User
from dashboard.pages.frame import Frame


class AccountAdapter(DefaultAccountAdapter):
    """Keeps sign-up closed: accounts arise by the first-run link or by a room's link only."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Give pages that are not ours (login, second factor) the frame that ours bring along."""
    user = getattr(request, "user", None)
    return {"frame": Frame(user)} if isinstance(user, User) else {}
