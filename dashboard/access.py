"""How people come in by password. Accounts arise by a link only; nobody signs up."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from typing_extensions import override


class AccountAdapter(DefaultAccountAdapter):
    """Closes the sign-up: a first account comes by the login link, others by a room's link."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
