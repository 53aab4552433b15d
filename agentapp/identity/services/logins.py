"""Logins of agents on platforms: made once, kept sealed, opened by the process that runs them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction
from typing_extensions import override

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.foundation.secrets import seal, unseal
from agentapp.identity import policy
from agentapp.identity.models import Account, Agent, Identity, User
from agentapp.identity.policy import Verb

TABLE, COLUMN = "agentapp_account", "secret"


class LoginTaken(Conflict):
    """Another agent has this login already. One login belongs to one agent."""


@dataclass(frozen=True, slots=True)
class OpenedLogin:
    """A login's secret in plain words, and where it had read to."""

    secret: str
    cursor: dict[str, object]

    @override
    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"<opened login at {self.cursor!r}>"


@transaction.atomic
def add_login(
    *, agent_id: int, platform: str, external_id: str, name: str, secret: str, by: User
) -> Account:
    """Give an agent a login on a platform, or the login it has a new secret.

    Writes: Account (sealed secret), Identity (the agent's handle there). Announces:
    `account.added` or `account.changed`.

    Raises:
        NotFound, Refused: The user may not manage the agent.
        LoginTaken: It is another agent's, here or in another workspace.
    """
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, agent)
    known = Account.objects.select_for_update().filter(platform=platform, external_id=external_id)
    account = known.filter(agent=agent).first()
    if account is None and known.exists():
        raise LoginTaken
    is_new = account is None
    if account is None:
        account = Account(
            workspace_id=agent.workspace_id, agent=agent, platform=platform, external_id=external_id
        )
    account.secret = seal(table=TABLE, pk=account.pk, column=COLUMN, text=secret)
    account.health, account.last_error = Account.Health.STARTING, ""
    if is_new:
        account.save()
    else:
        account.save(update_fields=["secret", "health", "last_error"])
    _take_handle(agent, platform, external_id, name)
    events.record(
        type="account.added" if is_new else "account.changed",
        subject_kind="account",
        subject_id=account.pk,
        workspace_id=agent.workspace_id,
        agent_id=agent.pk,
        actor_id=by.pk,
        payload={"platform": platform, "login": external_id},
    )
    return account


def _take_handle(agent: Agent, platform: str, external_id: str, name: str) -> None:
    """Make the handle the agent's; whoever seemed to be behind it before was the agent."""
    Identity.objects.update_or_create(
        workspace_id=agent.workspace_id,
        platform=platform,
        external_id=external_id,
        defaults={
            "kind": Identity.Kind.AGENT,
            "agent": agent,
            "name": name or agent.name,
            "person": None,
        },
    )


def open_login(*, account_id: uuid.UUID) -> OpenedLogin:
    """Return a login's secret and cursor; one query.

    Raises:
        NotFound: It was removed. SecretUnreadable: Its key is missing.
    """
    account = Account.objects.filter(pk=account_id).only("secret", "cursor").first()
    if account is None:
        raise NotFound
    secret = ""
    if account.secret:
        secret = unseal(table=TABLE, pk=account.pk, column=COLUMN, sealed=account.secret)
    return OpenedLogin(secret, account.cursor if isinstance(account.cursor, dict) else {})


def keep_secret(*, account_id: uuid.UUID, fence: int, secret: str) -> bool:
    """Store a login's renewed secret, unless another process runs it by now. Returns whether."""
    sealed = seal(table=TABLE, pk=account_id, column=COLUMN, text=secret)
    kept = Account.objects.filter(
        pk=account_id, fence=fence, lease_until__gt=GreenroomNow()
    ).update(secret=sealed)
    return bool(kept)
