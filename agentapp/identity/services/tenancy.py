"""Tenants, logins and seats."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, Invalid, NotFound
from agentapp.foundation.secrets import digest
from agentapp.foundation.text import one_line
from agentapp.identity import queries, rules
from agentapp.identity.models import Identity, LoginLink, Person, Seat, User, Workspace

LINK_LIFE = timedelta(hours=1)
TOKEN_BYTES = 32
FIRST_USER = "admin"


class LinkSpent(Conflict):
    """This login link was used before or is older than an hour. `make login` prints a fresh one."""


@transaction.atomic
def first_run_user() -> User:
    """Return the host's admin, made without a password when there is none yet."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if admin is not None:
        return admin
    admin, is_new = User.objects.get_or_create(
        username=FIRST_USER,
        defaults={"is_superuser": True, "is_staff": True, "display_name": "Admin"},
    )
    if is_new:
        admin.set_unusable_password()
        admin.save(update_fields=["password"])
        _user_event("user.joined", admin, {"how": "first run"})
    return admin


@transaction.atomic
def make_login_link(*, user: User | None = None) -> str:
    """Make a one-time way in and return its token, which is stored only hashed.

    Args:
        user: Whom it logs in; None means the admin, made at the first use.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = LoginLink.objects.create(
        token_hash=digest(token), user=user, expires_at=GreenroomNow() + LINK_LIFE
    )
    events.record(type="login.link.made", subject_kind="login_link", subject_id=link.pk)
    return token


@transaction.atomic
def consume_login_link(*, token: str) -> User:
    """Use a login link up and return whom it logs in; of two at once exactly one gets in.

    Writes: LoginLink (used); at first run also User, Workspace and Seats.

    Raises:
        NotFound: No such link. LinkSpent: Used before or too old. Nothing is written.
    """
    links = LoginLink.objects.filter(token_hash=digest(token))
    taken = links.filter(used_at__isnull=True, expires_at__gt=GreenroomNow()).update(
        used_at=GreenroomNow()
    )
    link = links.select_related("user").first()
    if link is None:
        raise NotFound("There is no such login link.")
    if not taken:
        raise LinkSpent
    user = link.user or first_run_user()
    if not user.is_active:
        raise NotFound("There is no such login link.")
    ensure_workspace(user=user)
    _user_event("user.logged.in", user, {"how": "login link"})
    return user


@transaction.atomic
def ensure_workspace(*, user: User) -> Workspace:
    """Return the user's own workspace, made with owner and moderator seats when there is none."""
    # Two first logins at once queue here instead of making two workspaces.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    return queries.real_workspace_of(user) or create_workspace(user=user, name="Greenroom")


@transaction.atomic
def create_workspace(*, user: User, name: str, is_demo: bool = False) -> Workspace:
    """Make a workspace whose owner and moderator is this user.

    Writes: Workspace, Seat. Announces: `workspace.created`.
    """
    workspace = Workspace.objects.create(
        name=rules.checked_name(name, limit=80), timezone=user.timezone, is_demo=is_demo
    )
    for role in (Seat.Role.OWNER, Seat.Role.MODERATOR):
        Seat.objects.create(workspace=workspace, user=user, role=role)
    events.record(
        type="workspace.created",
        subject_kind="workspace",
        subject_id=workspace.pk,
        workspace_id=workspace.pk,
        actor_id=user.pk,
    )
    return workspace


@transaction.atomic
def give_seat(*, user: User, workspace: Workspace, role: str, by: User | None = None) -> Seat:
    """Give a user a role in a workspace; a role held already stays as it is."""
    seat, is_new = Seat.objects.get_or_create(user=user, workspace=workspace, role=role)
    if is_new:
        events.record(
            type="seat.given",
            subject_kind="user",
            subject_id=user.pk,
            workspace_id=workspace.pk,
            actor_id=by.pk if by else None,
            payload={"role": role},
        )
    return seat


@transaction.atomic
def set_timezone(*, user: User, timezone: str) -> User:
    """Set the user's time zone, and that of the workspaces they own: a budget day follows it."""
    user.timezone = rules.checked_timezone(timezone)
    user.save(update_fields=["timezone"])
    owned = Seat.objects.filter(user=user, role=Seat.Role.OWNER).values("workspace")
    Workspace.objects.filter(pk__in=owned).update(timezone=user.timezone)
    Person.objects.filter(identities__user=user).update(timezone=user.timezone)
    _user_event("user.changed", user, {"timezone": user.timezone})
    return user


@transaction.atomic
def set_theme(*, user: User, theme: str) -> User:
    """Choose light, dark, or what the device prefers (auto)."""
    if theme not in rules.THEMES:
        raise Invalid(f"There is no theme {one_line(theme)!r}.")
    user.theme = theme
    user.save(update_fields=["theme"])
    _user_event("user.changed", user, {"theme": theme})
    return user


@transaction.atomic
def set_profile(*, user: User, display_name: str) -> User:
    """Set the name under which the user appears, also in web rooms."""
    user.display_name = rules.checked_name(display_name, limit=80)
    user.save(update_fields=["display_name"])
    Identity.objects.filter(user=user).update(name=user.display_name)
    Person.objects.filter(identities__user=user).update(name=user.display_name)
    _user_event("user.changed", user, {"fields": ["display_name"]})
    return user


def _user_event(type_: str, user: User, payload: dict[str, object]) -> None:
    events.record(
        type=type_, subject_kind="user", subject_id=user.pk, actor_id=user.pk, payload=payload
    )
