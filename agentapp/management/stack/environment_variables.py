"""What a child sees of the environment of whoever started the host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount

SETTINGS_MODULE = "agentapp.config.settings"
# Ours alone: a value from the caller's shell would point at somebody else's database.
OWN_NAMES = frozenset(
    {
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "GREENROOM_KEYS",
        "GREENROOM_DATA",
        "PORT",
    }
)
# They would make a child import from, or write to, places of the caller.
FOREIGN_NAMES = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "PYTHONPYCACHEPREFIX"}
)
HOME_NAMES = frozenset({"HOME", "USER", "LOGNAME", "MAIL", "TMPDIR"})


def child_environment(
    values: Mapping[str, str], *, account: ServiceAccount, home: Path
) -> dict[str, str]:
    """Return the caller's environment without what must not leak in, plus our own values.

    Under root the children also get a home of their own, for their account cannot read root's.
    """
    kept = {name: value for name, value in os.environ.items() if not _is_dropped(name, account)}
    own = {"DJANGO_SETTINGS_MODULE": SETTINGS_MODULE, "PYTHONUNBUFFERED": "1"}
    if not account.is_current:
        own |= {"HOME": str(home), "USER": account.name, "LOGNAME": account.name}
    return kept | own | dict(values)


def _is_dropped(name: str, account: ServiceAccount) -> bool:
    if name.removesuffix("_FILE") in OWN_NAMES or name in FOREIGN_NAMES:
        return True
    return not account.is_current and (name in HOME_NAMES or name.startswith(("XDG_", "SUDO_")))
