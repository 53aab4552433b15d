"""`manage.py invitations`: what agents are invited into, and the owner's answer."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from typing_extensions import override

from agentapp.foundation.errors import AgentError
from agentapp.presence.invitations import accept_invitation, decline_invitation
from agentapp.presence.models import Membership


class Command(BaseCommand):
    """Lists open invitations, or decides on one in its agent's owner's name."""

    help = "List the rooms that agents are invited into; accept or decline one by its number."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accept", type=int, metavar="NUMBER")
        parser.add_argument("--decline", type=int, metavar="NUMBER")

    @override
    def handle(self, *args: object, **options: object) -> None:
        for name, act in (("accept", accept_invitation), ("decline", decline_invitation)):
            number = options[name]
            if isinstance(number, int):
                one = _open(number)
                try:
                    act(membership_id=one.pk, by=one.agent.owner)
                except AgentError as error:
                    raise CommandError(error.message) from error
        for row in _open_ones().order_by("id"):
            self.stdout.write(f"{row.pk}\t{row.agent.name}\t{row.room}\t{row.room.external_id}")


def _open_ones() -> QuerySet[Membership]:
    found = Membership.objects.filter(state=Membership.State.INVITED)
    return found.select_related("agent__owner", "room")


def _open(number: int) -> Membership:
    one = _open_ones().filter(pk=number).first()
    if one is None:
        raise CommandError(f"There is no open invitation {number}.")
    return one
