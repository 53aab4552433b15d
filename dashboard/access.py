"""How people come in by password. Accounts arise by a link only; nobody signs up."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponse
from typing_extensions import override

from agentapp.demo import services as demo
from agentapp.identity.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Closes the sign-up and lets the demo begin at the first login, whichever way it came."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    @override
    def post_login(self, request: HttpRequest, user: User, **kwargs: object) -> HttpResponse | None:
        if not user.is_guest:
            demo.start_at_login(user=user)
        answer: HttpResponse | None = super().post_login(request, user, **kwargs)
        return answer
