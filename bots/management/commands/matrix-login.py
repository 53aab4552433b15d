"""`manage.py matrix-login`: give an agent its login on a Matrix homeserver."""

from __future__ import annotations

import asyncio
import getpass
import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from agentapp.foundation.errors import AgentError
from agentapp.identity.models import Account, Agent
from agentapp.identity.services.logins import add_login, open_login
from bots.matrix.login import adopt_token, find_homeserver, log_in, packed, unpacked
from bots.matrix.parse import PLATFORM
from bots.matrix.transport import Login


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
        where = str(options["homeserver"]) or user.partition(":")[2]
        secret = _secret("Access token: " if options["token"] else f"Password of {user}: ")
        try:
            login = asyncio.run(
                _logged_in(where, user, secret, _device(user), by_token=bool(options["token"]))
            )
            add_login(
                agent_id=agent.pk,
                platform=PLATFORM,
                external_id=login.user_id,
                name=agent.name,
                secret=packed(login),
                by=agent.owner,
            )
        except AgentError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{agent.name} is {login.user_id} now. Invite it into a room.")


async def _logged_in(where: str, user: str, secret: str, device: str, *, by_token: bool) -> Login:
    homeserver = await find_homeserver(where)
    if by_token:
        return await adopt_token(homeserver=homeserver, token=secret)
    return await log_in(homeserver=homeserver, user=user, password=secret, device_id=device)


def _device(user: str) -> str:
    """Return the device of an earlier login: a new one would look like somebody else's."""
    account = Account.objects.filter(platform=PLATFORM, external_id=user).first()
    if account is None:
        return ""
    try:
        return unpacked(open_login(account_id=account.pk).secret).device_id
    except AgentError:
        return ""


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
