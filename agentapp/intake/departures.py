"""How a login leaves its platform for good."""

from __future__ import annotations

import uuid

from django.db import transaction

from agentapp.drafts.services import block_login
from agentapp.identity.models import Account, User
from agentapp.identity.services import logins
from agentapp.keyring.services import drop_keys
from agentapp.notifications.services import notify
from agentapp.presence import services as presence


@transaction.atomic
def end_login(*, account_id: uuid.UUID, by: User) -> Account:
    """Take an agent's login away: out of its rooms here at once, there as soon as it is reached.

    Writes: Account (ending), Membership (left), Draft and Outbound (held back), Events. The
    process that runs logins leaves the rooms there and gives the login back to its platform.

    Raises:
        NotFound, Refused: There is none, or the user may not manage its agent.
    """
    account = logins.managed_login(account_id, by)
    if account.state == Account.State.ON:
        block_login(account_id=account.pk, reason="The login was removed.")
        presence.leave_all(account_id=account.pk, by=by)
        logins.begin_ending(account, by)
    return account


@transaction.atomic
def login_ended(*, account_id: uuid.UUID, fence: int, error: str = "") -> bool:
    """Note that a login left its platform, and everything of it that is still open here.

    Returns False under a fence that is gone: then somebody else runs it by now.
    """
    if not logins.ended(account_id=account_id, fence=fence, error=error):
        return False
    drop_keys(account_id=account_id)
    block_login(account_id=account_id, reason="The login was removed.")
    presence.leave_all(account_id=account_id, by=None)
    if error:
        _tell_owner(Account.objects.select_related("agent").get(pk=account_id), error)
    return True


def _tell_owner(account: Account, error: str) -> None:
    notify(
        user_id=account.agent.owner_id,
        workspace_id=account.workspace_id,
        kind=f"login.ended.{account.pk.hex[:8]}.{account.fence}",
        subject_kind="agent",
        subject_id=account.agent_id,
        text=f"{account.external_id} of {account.agent.name} is removed here. {error}",
    )
