"""What a login needs to be used: opened by the process that runs it, and kept when it changes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from typing_extensions import override

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import NotFound
from agentapp.foundation.secrets import marks, seal, unseal
from agentapp.identity.models import Account

TABLE, COLUMN = "agentapp_account", "secret"


@dataclass(frozen=True, slots=True)
class OpenedLogin:
    """A login's secret in plain words, and where it had read to."""

    secret: str
    cursor: dict[str, object]

    @override
    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"<opened login at {self.cursor!r}>"


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


def keep_secret(*, account_id: uuid.UUID, fence: int, secret: str, token: str = "") -> bool:
    """Store a login's renewed secret, unless another process runs it by now. Returns whether.

    Args:
        token: As in `add_login`.
    """
    sealed = seal(table=TABLE, pk=account_id, column=COLUMN, text=secret)
    kept = Account.objects.filter(
        pk=account_id, fence=fence, lease_until__gt=GreenroomNow()
    ).update(secret=sealed, secret_mark=marks(token or secret)[0])
    return bool(kept)
