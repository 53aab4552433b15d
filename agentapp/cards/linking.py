"""Owners prove by a one-time code that a handle on a platform is theirs."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta

from django.db import transaction

from agentapp.cards.models import CardCode, CardLink
from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.foundation.secrets import digest
from agentapp.foundation.text import one_line
from agentapp.identity import policy
from agentapp.identity.models import Account, User
from agentapp.identity.policy import Verb

WORKS_FOR = timedelta(minutes=10)
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that looks like another
LENGTH = 10  # about 49 bits, guessed within ten minutes


class WrongCode(NotFound):
    """This code is not known, or its ten minutes are over. Make a new one under Platforms."""


@transaction.atomic
def make_code(*, account_id: uuid.UUID, by: User) -> str:
    """Return a new code for an owner's handle where one of their logins is; earlier ones end.

    Writes: CardCode, the code itself only hashed.

    Raises:
        NotFound, Refused: The user may not manage the login.
    """
    account = Account.objects.select_related("agent").filter(pk=account_id).first()
    if account is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, account.agent)
    if account.state != Account.State.ON:
        raise Conflict("This login is no longer there.")
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    CardCode.objects.update_or_create(
        user=by,
        defaults={
            "account": account,
            "code_hash": digest(code),
            "expires_at": GreenroomNow() + WORKS_FOR,
        },
    )
    return f"{code[:5]}-{code[5:]}"


@transaction.atomic
def use_code(*, code: str, platform: str, agent_id: int, external_id: str, name: str) -> User:
    """Link whoever wrote a code to the user who made it; the code is spent.

    Writes: CardLink, Event `cards.linked`.

    Raises:
        WrongCode: It is none, is over, or was written to another agent than it was made for.
    """
    plain = code.upper().replace("-", "").replace(" ", "")
    row = (
        CardCode.objects.select_for_update(of=("self",))
        .select_related("user", "account")
        .filter(
            code_hash=digest(plain),
            expires_at__gt=GreenroomNow(),
            account__platform=platform,
            account__agent_id=agent_id,
        )
        .first()
    )
    if row is None:
        raise WrongCode
    CardLink.objects.filter(account=row.account, external_id=external_id).delete()
    link, _ = CardLink.objects.update_or_create(
        user=row.user,
        defaults={
            "account": row.account,
            "external_id": external_id,
            "name": one_line(name, limit=80),
            "error": "",
        },
    )
    user = row.user
    row.delete()
    _record("cards.linked", link)
    return user


@transaction.atomic
def unlink(*, by: User) -> bool:
    """Bring a user no more cards. Returns whether there was a link."""
    link = CardLink.objects.select_related("account").filter(user=by).first()
    if link is None:
        return False
    _record("cards.unlinked", link)
    link.delete()
    return True


def _record(type_: str, link: CardLink) -> None:
    events.record(
        type=type_,
        subject_kind="account",
        subject_id=link.account_id,
        workspace_id=link.account.workspace_id,
        agent_id=link.account.agent_id,
        actor_id=link.user_id,
        payload={"platform": link.account.platform},
    )
