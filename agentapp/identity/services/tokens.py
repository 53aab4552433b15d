"""Keys for the API."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from hmac import compare_digest

from django.db import transaction
from django.db.models import Q

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import NotFound, Refused
from agentapp.foundation.secrets import digest
from agentapp.identity import rules
from agentapp.identity.models import ApiToken, Seat, User

PREFIX = "grm"
SECRET_BYTES = 32
NOTED_EVERY = timedelta(minutes=1)  # a busy token costs one write a minute, not one per request


@transaction.atomic
def make_api_token(
    *, user: User, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a key and return it with its text, which is shown this once and stored only hashed.

    Scopes are read, write, approve and admin (moderating and running the host); a token never
    may more than its user.

    Raises:
        Invalid: Name or scopes cannot be used. Refused: `admin` for somebody who neither is the
            admin nor moderates anywhere.
    """
    wanted = rules.checked_scopes(scopes)
    if "admin" in wanted and not _may_administer(user):
        raise Refused("Only the admin and moderators may make a key with the admin scope.")
    token_id = uuid.uuid4()
    text = f"{PREFIX}_{token_id.hex}_{secrets.token_urlsafe(SECRET_BYTES)}"
    token = ApiToken.objects.create(
        id=token_id,
        user=user,
        name=rules.checked_name(name, limit=80),
        token_hash=digest(text),
        hint=text[-4:],
        scopes=wanted,
        expires_at=expires_at,
    )
    _record("token.made", token, {"scopes": wanted})
    return token, text


@transaction.atomic
def revoke_api_token(*, token_id: uuid.UUID, by: User) -> ApiToken:
    """End a key at once; a key that has ended stays ended.

    Raises:
        NotFound: There is no such key, or it belongs to somebody else.
    """
    keys = ApiToken.objects.filter(pk=token_id)
    if not by.is_superuser:
        keys = keys.filter(user=by)
    ended = keys.filter(revoked_at__isnull=True).update(revoked_at=GreenroomNow())
    token = keys.first()
    if token is None:
        raise NotFound
    if ended:
        _record("token.revoked", token, {}, by=by)
    return token


def token_user(*, token: str) -> ApiToken | None:
    """Return the open key that this text is, with its user; None when it opens nothing.

    Reads the row on every call, so that a revoked key is dead at once. Writes `last_used_at` at
    most once a minute.
    """
    token_id = _id_in(token)
    if token_id is None:
        return None
    row = (
        ApiToken.objects.select_related("user")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=GreenroomNow()))
        .filter(pk=token_id, revoked_at__isnull=True, user__is_active=True)
        .first()
    )
    if row is None or not compare_digest(row.token_hash, digest(token)):
        return None
    ApiToken.objects.filter(pk=row.pk).filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=GreenroomNow() - NOTED_EVERY)
    ).update(last_used_at=GreenroomNow())
    return row


def _may_administer(user: User) -> bool:
    moderates = Seat.objects.filter(user=user, role=Seat.Role.MODERATOR)
    return user.is_superuser or moderates.exists()


def _id_in(token: str) -> uuid.UUID | None:
    prefix, _, rest = token.partition("_")
    raw_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret or not token.isascii():
        return None
    try:
        return uuid.UUID(hex=raw_id)
    except ValueError:
        return None


def _record(
    type_: str, token: ApiToken, payload: dict[str, object], *, by: User | None = None
) -> None:
    events.record(
        type=type_,
        subject_kind="token",
        subject_id=token.pk,
        actor_id=(by or token.user).pk,
        payload=payload,
    )
