"""How often a login connects to its platform and is refused there, over all processes.

Platforms punish both: too many new sessions in a day cost a login its token, too many refused
requests block the whole host. So what counts is written down before it is done, or soon after.
"""

from __future__ import annotations

import uuid

from django.db import connection

from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Account

REFUSALS_SECONDS = 600.0  # in which refused requests are counted together

_BEGIN = """
UPDATE agentapp_account
SET sessions = CASE WHEN sessions_on = (greenroom_now() AT TIME ZONE 'UTC')::date
                    THEN sessions + 1 ELSE 1 END,
    sessions_on = (greenroom_now() AT TIME ZONE 'UTC')::date
WHERE id = %(account)s AND fence = %(fence)s AND lease_until > greenroom_now()
  AND (sessions_on IS DISTINCT FROM (greenroom_now() AT TIME ZONE 'UTC')::date
       OR sessions < %(most)s)
"""
_REFUSED = """
UPDATE agentapp_account
SET refusals = CASE WHEN refusals_from > greenroom_now() - make_interval(secs => %(window)s)
                    THEN refusals + %(count)s ELSE %(count)s END,
    refusals_from = CASE WHEN refusals_from > greenroom_now() - make_interval(secs => %(window)s)
                         THEN refusals_from ELSE greenroom_now() END
WHERE id = %(account)s
"""
_TOTAL = """
SELECT COALESCE(sum(refusals), 0) FROM agentapp_account
WHERE platform = %(platform)s
  AND refusals_from > greenroom_now() - make_interval(secs => %(window)s)
"""


def begin_session(*, account_id: uuid.UUID, fence: int, most: int) -> bool:
    """Count one more session of a login today (UTC); False, and nothing is counted, beyond `most`.

    Also False under a fence that is gone: another process runs the login then.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"account": account_id, "fence": fence, "most": most})
        return bool(cursor.rowcount)


def note_refusals(*, account_id: uuid.UUID, platform: str, count: int) -> int:
    """Add refused requests of a login; return how many there were of all logins lately.

    Args:
        count: May be 0, to ask only.
    """
    with connection.cursor() as cursor:
        if count:
            cursor.execute(
                _REFUSED, {"account": account_id, "count": count, "window": REFUSALS_SECONDS}
            )
        cursor.execute(_TOTAL, {"platform": platform, "window": REFUSALS_SECONDS})
        return int(cursor.fetchone()[0])


def keep_details(*, account_id: uuid.UUID, fence: int, details: dict[str, object]) -> bool:
    """Store what a platform says of a login, unless another process runs it by now."""
    kept = Account.objects.filter(
        pk=account_id, fence=fence, lease_until__gt=GreenroomNow()
    ).update(details=details)
    return bool(kept)
