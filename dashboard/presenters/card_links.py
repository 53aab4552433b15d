"""Whether somebody's approvals come to them through one of their logins."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from agentapp.cards.models import CardLink
from agentapp.identity.models import Account, User
from agentapp.identity.platforms import offered


@dataclass(frozen=True, slots=True)
class CardsShown:
    """Whether cards come through a login; `name` is the owner's there."""

    is_here: bool = False
    name: str = ""
    error: str = ""


def show_links(user: User, accounts: Sequence[Account]) -> dict[uuid.UUID, CardsShown]:
    """Return it for the logins whose platform has cards; one query."""
    link = CardLink.objects.filter(user=user).first()
    bearing = {platform.code for platform in offered() if platform.has_cards}
    return {
        account.pk: CardsShown(is_here=True, name=link.name, error=link.error)
        if link is not None and link.account_id == account.pk
        else CardsShown()
        for account in accounts
        if account.platform in bearing
    }
