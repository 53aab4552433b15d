"""`manage.py matrix-login`: give an agent its login on a Matrix homeserver."""

from __future__ import annotations

import getpass
import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from agentapp.foundation.errors import AgentError
from agentapp.identity.models import Agent
from agentapp.identity.services.logins import connect
from bots.matrix.parse import PLATFORM


class Command(BaseCommand):
    """Logs in once; afterwards no password is needed or kept."""

    help = (
        "Log an agent in on a Matrix homeserver. The password (or, with --token, the access "
        "token) is asked for, or read from standard input; it stands in no command line."
    )
    requires_system_checks = []

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="the agent's short name, as its page's address has it")
        parser.add_argument("user", help="its user on Matrix, such as @mira:example.org")
        parser.add_argument("--homeserver", default="", help="address, if the name is not enough")
        parser.add_argument("--token", action="store_true", help="give an access token instead")

    @override
    def handle(self, *args: object, **options: object) -> None:
        agent = _agent(str(options["agent"]))
        user = str(options["user"])
        secret = _secret("Access token: " if options["token"] else f"Password of {user}: ")
        answers = {
            "user": user,
            "homeserver": str(options["homeserver"]),
            "token" if options["token"] else "password": secret,
        }
        try:
            account = connect(agent_id=agent.pk, platform=PLATFORM, answers=answers, by=agent.owner)
        except AgentError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{agent.name} is {account.external_id} now. Invite it into a room.")


def _agent(slug: str) -> Agent:
    found = list(Agent.objects.filter(slug=slug).select_related("owner")[:2])
    if len(found) != 1:
        raise CommandError(
            f"There is no agent {slug!r}." if not found else f"Two agents are called {slug!r}."
        )
    return found[0]


def _secret(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")
