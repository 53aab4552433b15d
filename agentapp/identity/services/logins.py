"""Logins of agents on platforms: proven once, kept sealed, opened by the process that runs them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import F

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import refuse_open_transaction, released_connection
from agentapp.foundation.errors import AgentError, Conflict, NotFound
from agentapp.foundation.secrets import marks, seal, unseal
from agentapp.identity import platforms, policy
from agentapp.identity.models import Account, Agent, Identity, User
from agentapp.identity.policy import Verb
from agentapp.identity.services.opening import COLUMN, TABLE
from agentapp.identity.services.people import LOCAL


class LoginTaken(Conflict):
    """Another agent has this login already. One login belongs to one agent."""


class SecondLogin(Conflict):
    """An agent has one login per platform."""


def connect(*, agent_id: int, platform: str, answers: Mapping[str, str], by: User) -> Account:
    """Prove what somebody entered for an agent's login, then keep it.

    Calls: the platform, for at most `platforms.VERIFY_SECONDS`. Nothing that proves it is stored
    but what the platform gave in return. Writes and announces as `add_login` does.

    Raises:
        NotFound, Refused: No such platform, or the user may not manage the agent.
        WrongAnswer, Unavailable: As the platform says. Nothing was saved.
        LoginTaken, SecondLogin: It is another agent's, or the agent has another one there.
    """
    refuse_open_transaction()
    there = platforms.offered_as(platform)
    agent = _managed(agent_id, by)
    handle = there.handle_of(answers)
    if handle:
        _refuse_taken(agent, platform, handle)
    earlier = _earlier_secret(agent, platform, handle)
    with released_connection():
        proven = there.prove(answers, earlier=earlier)
    try:
        return add_login(
            agent_id=agent.pk,
            platform=platform,
            external_id=proven.external_id,
            name=agent.name,
            secret=proven.secret,
            token=proven.token,
            details=proven.details,
            by=by,
        )
    except AgentError:
        if proven.is_new:
            with released_connection():
                there.end(proven.secret)
        raise


@transaction.atomic
def add_login(
    *,
    agent_id: int,
    platform: str,
    external_id: str,
    name: str,
    secret: str,
    by: User,
    token: str = "",
    details: Mapping[str, object] | None = None,
) -> Account:
    """Give an agent a login on a platform, or the login it has a new secret.

    Args:
        token: The part of the secret that may be on this host only once; "" for the whole.
        details: What its platform says of it, as `platforms.Details` packs it.

    Writes: Account (sealed secret, mark of its token), Identity (the agent's handle there).
    Announces: `account.added` or `account.changed`.

    Raises:
        NotFound, Refused: The user may not manage the agent.
        LoginTaken: It or its token is another agent's, here or in another workspace.
        SecondLogin: The agent has another login on that platform.
    """
    Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
    agent = _managed(agent_id, by)
    known = Account.objects.select_for_update().filter(platform=platform, external_id=external_id)
    list(known)
    _refuse_taken(agent, platform, external_id)
    account = known.filter(agent=agent).first()
    is_new = account is None
    if account is None:
        account = Account(
            workspace_id=agent.workspace_id, agent=agent, platform=platform, external_id=external_id
        )
    elif account.state == Account.State.ENDED:
        account.cursor = {}  # what was said meanwhile is none of its business
    account.secret = seal(table=TABLE, pk=account.pk, column=COLUMN, text=secret)
    account.details = dict(details or {})
    _mark(account, token or secret)
    _start_anew(account)
    _save_once(account)
    _take_handle(agent, platform, external_id, name)
    record_login("account.added" if is_new else "account.changed", account, by)
    return account


@transaction.atomic
def try_again(*, account_id: uuid.UUID, by: User) -> Account:
    """Let a login that has trouble begin anew at once, with what is known of it.

    Writes: Account. Announces: `account.changed`.
    """
    account = managed_login(account_id, by)
    if account.state != Account.State.ON:
        raise Conflict("This login is no longer there.")
    _start_anew(account)
    account.save()
    record_login("account.changed", account, by)
    return account


def begin_ending(account: Account, by: User | None) -> None:
    """Have a locked login leave its platform, inside the caller's transaction.

    Writes: Account. Announces: `account.ending`.
    """
    account.state = Account.State.ENDING
    _start_anew(account, state=Account.State.ENDING)
    account.save()
    record_login("account.ending", account, by)


def ended(*, account_id: uuid.UUID, fence: int, error: str = "") -> bool:
    """Note that a login left its platform; what is needed to use it is forgotten.

    Args:
        error: Why the platform could not be told, and what is left to do there.

    Writes: Account. Announces: `account.removed`. Returns False under a fence that is gone.
    """
    account = Account.objects.select_for_update().filter(pk=account_id, fence=fence).first()
    if account is None or account.state != Account.State.ENDING:
        return False
    account.state, account.health = Account.State.ENDED, Account.Health.STOPPED
    account.secret, account.cursor, account.last_error = "", {}, error
    account.secret_mark = ""
    account.lease_holder, account.lease_until = "", None
    account.save()
    record_login("account.removed", account, None)
    return True


def managed_login(account_id: uuid.UUID, by: User) -> Account:
    """Return a login, locked, that a user may manage; inside a transaction.

    Raises:
        NotFound, Refused: There is none, or the user may not. The login for web rooms is nobody's
            to change.
    """
    account = (
        Account.objects.select_for_update(of=("self",))
        .select_related("agent")
        .filter(pk=account_id)
        .exclude(platform=LOCAL)
        .first()
    )
    if account is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, account.agent)
    return account


def record_login(type_: str, account: Account, by: User | None) -> None:
    """Write what happened to a login."""
    events.record(
        type=type_,
        subject_kind="account",
        subject_id=account.pk,
        workspace_id=account.workspace_id,
        agent_id=account.agent_id,
        actor_id=by.pk if by else None,
        payload={"platform": account.platform, "login": account.external_id},
    )


def _start_anew(account: Account, *, state: Account.State = Account.State.ON) -> None:
    """Take a login from whoever runs it; the next one begins with what it is now."""
    account.state, account.health, account.last_error = state, Account.Health.STARTING, ""
    account.health_since = GreenroomNow()
    account.lease_holder, account.lease_until = "", None
    account.fence = 1 if account._state.adding else F("fence") + 1


def _managed(agent_id: int, by: User) -> Agent:
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, agent)
    if agent.status in {Agent.Status.ARCHIVED, Agent.Status.DELETED}:
        raise Conflict(f"{agent.name} is archived.")
    return agent


def _refuse_taken(agent: Agent, platform: str, external_id: str) -> None:
    there = Account.objects.filter(platform=platform)
    others = there.filter(external_id=external_id).exclude(agent=agent)
    # In its own workspace what a login once said stays its agent's, so nobody else can take it.
    is_there = others.filter(workspace_id=agent.workspace_id).exists()
    if is_there or others.exclude(state=Account.State.ENDED).exists():
        raise LoginTaken
    own = there.filter(agent=agent).exclude(external_id=external_id)
    other = own.exclude(state=Account.State.ENDED).first()
    if other is not None and platform != LOCAL:
        raise SecondLogin(
            f"{agent.name} is {other.external_id} there already. Remove that login first."
        )


def _mark(account: Account, token: str) -> None:
    """Note which token a login has, unless that is another login's."""
    account.secret_mark = ""
    if not token:
        return
    of_token = marks(token)
    if Account.objects.filter(secret_mark__in=of_token).exclude(pk=account.pk).exists():
        raise LoginTaken
    account.secret_mark = of_token[0]


def _save_once(account: Account) -> None:
    """Save a login; where the same token was added at this very moment, refuse it."""
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:
        if "account_token_once" in str(error):
            raise LoginTaken from error
        raise


def _earlier_secret(agent: Agent, platform: str, external_id: str) -> str:
    account = Account.objects.filter(
        agent=agent, platform=platform, external_id=external_id
    ).first()
    if account is None or not account.secret:
        return ""
    try:
        return unseal(table=TABLE, pk=account.pk, column=COLUMN, sealed=account.secret)
    except AgentError:
        return ""  # its key is gone; then it is a login like any other


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
