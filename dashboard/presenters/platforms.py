"""Logins of agents on platforms: how each fares, where it is, and its first words."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.urls import reverse

from agentapp.drafts.models import Draft
from agentapp.identity.models import Account, User
from agentapp.identity.platforms import Details, Platform, offered
from agentapp.identity.queries import logins_of
from agentapp.keyring.showing import RingShown, rings_of
from agentapp.presence.models import Membership
from agentapp.turns.models import Turn
from dashboard.presenters.agents import decision_words
from dashboard.presenters.card_links import CardsShown, show_links
from dashboard.presenters.doors import InvitationShown, show_invitations
from dashboard.presenters.doorways import GroupShown, show_groups
from dashboard.presenters.faces import Face, agent_face
from dashboard.presenters.rooms import Presence, mark_of, name_of
from dashboard.presenters.stamps import stamp
from dashboard.presenters.states import StateShown

_STATES = {
    Account.Health.STARTING: StateShown("Connecting", "waits"),
    Account.Health.OK: StateShown("Connected", "awake"),
    Account.Health.FAILING: StateShown("Trying again", "waits"),
    Account.Health.LOST: StateShown("Needs a new login", "stopped"),
    Account.Health.STOPPED: StateShown("Not running"),
}
_ENDING = StateShown("Leaving its rooms")
_ANSWERS = {
    Draft.Status.PENDING: "Its answer waits for you in Approvals.",
    Draft.Status.APPROVED: "Its answer is on its way.",
    Draft.Status.PUBLISHING: "Its answer is on its way.",
    Draft.Status.UNKNOWN: "Its answer is on its way.",
    Draft.Status.PUBLISHED: "It answered.",
}


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """A room that a login is in."""

    membership_id: int
    room_id: int
    agent_id: int
    name: str
    url: str
    mark: str
    behaviour: str
    may_talk: bool
    is_held: bool
    is_suspended: bool
    is_on_the_way: bool


@dataclass(frozen=True, slots=True)
class TrialShown:
    """The first words: whether somebody wrote to the agent, and what came of it."""

    is_heard: bool
    is_answered: bool
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class LoginShown:
    """One login."""

    id: uuid.UUID
    agent: Face
    agent_url: str
    platform: str
    platform_code: str
    external_id: str
    invite_hint: str
    state: StateShown
    since: datetime | None
    heard_at: datetime | None
    error: str
    is_ending: bool
    is_lost: bool
    has_trouble: bool
    trial: TrialShown
    stamp: str
    name: str = ""
    invite_url: str = ""
    notes: tuple[str, ...] = ()
    places: list[PlaceShown] = field(default_factory=list)
    invitations: list[InvitationShown] = field(default_factory=list)
    groups: list[GroupShown] = field(default_factory=list)
    ring: RingShown | None = None
    cards: CardsShown | None = None


def show_logins(user: User) -> list[LoginShown]:
    """Return the logins of a user's agents on platforms; eleven queries for any number."""
    accounts = list(logins_of(user))
    memberships: dict[uuid.UUID, list[Membership]] = defaultdict(list)
    rows = Membership.objects.filter(account__in=accounts, left_at__isnull=True)
    for row in rows.select_related("room", "agent").order_by("-state", "room__name", "pk"):
        memberships[row.account_id].append(row)
    invited = show_invitations(user)
    titles = {platform.code: platform for platform in offered()}
    trials, groups, rings = _trials(accounts), show_groups(accounts), rings_of(accounts)
    cards = show_links(user, accounts)
    return [
        _show(
            account,
            titles.get(account.platform),
            memberships[account.pk],
            [one for one in invited if one.account_id == account.pk],
            trials[account.pk],
            groups[account.pk],
            rings.get(account.pk),
            cards.get(account.pk),
        )
        for account in accounts
    ]


def _show(
    account: Account,
    platform: Platform | None,
    rows: Sequence[Membership],
    invitations: list[InvitationShown],
    trial: TrialShown,
    groups: list[GroupShown],
    ring: RingShown | None,
    cards: CardsShown | None,
) -> LoginShown:
    is_ending = account.state == Account.State.ENDING
    state = _ENDING if is_ending else _STATES[Account.Health(account.health)]
    places = [_place(row) for row in rows if row.state != Membership.State.INVITED]
    face = agent_face(account.agent)
    since, heard_at = account.health_since, account.heard_at
    # A menu that is open stays so while people talk.
    minute = heard_at.replace(second=0, microsecond=0) if heard_at else None
    told = Details.unpacked(account.details)
    return LoginShown(
        id=account.pk,
        agent=face,
        agent_url=reverse("agent", args=[account.agent_id]),
        platform=platform.title if platform else account.platform,
        platform_code=account.platform,
        external_id=account.external_id,
        invite_hint=platform.invite_hint if platform else "",
        state=state,
        since=since,
        heard_at=heard_at,
        error=account.last_error,
        is_ending=is_ending,
        is_lost=account.health == Account.Health.LOST,
        has_trouble=account.health in {Account.Health.LOST, Account.Health.FAILING},
        trial=trial,
        stamp=stamp(
            *(face, state, since, minute, account.last_error, places),
            *(invitations, trial, told, groups, ring, cards),
        ),
        name=told.name or account.external_id,
        invite_url=told.invite_url,
        notes=told.notes,
        places=places,
        invitations=invitations,
        groups=groups,
        ring=ring,
        cards=cards,
    )


def _place(row: Membership) -> PlaceShown:
    room = row.room
    return PlaceShown(
        membership_id=row.pk,
        room_id=room.pk,
        agent_id=row.agent_id,
        name=name_of(room, Presence()),
        url=reverse("room", args=[room.pk]),
        mark=mark_of(room),
        behaviour=f"{room.get_dial_display()} · {room.get_reply_mode_display()}",
        may_talk=row.state == Membership.State.ACTIVE,
        is_held=row.is_held,
        is_suspended=row.state == Membership.State.INACTIVE,
        is_on_the_way=row.state == Membership.State.QUARANTINED,
    )


def _trials(accounts: Sequence[Account]) -> dict[uuid.UUID, TrialShown]:
    """Return what came of the first words to each login since it was made; two queries."""
    if not accounts:
        return {}
    rows = (
        Turn.objects.filter(
            agent_id__in={account.agent_id for account in accounts},
            room__platform__in={account.platform for account in accounts},
            addressed=True,
            created_at__gte=min(account.created_at for account in accounts),
        )
        .order_by("agent_id", "room__platform", "-pk")
        .distinct("agent_id", "room__platform")
        .select_related("room")
    )
    turns = {(row.agent_id, row.room.platform): row for row in rows if row.room}
    drafts = _newest_drafts(turns.values())
    return {
        account.pk: _trial(turn, drafts.get(turn.pk) if turn else None)
        for account in accounts
        for turn in [turns.get((account.agent_id, account.platform))]
    }


def _newest_drafts(turns: Iterable[Turn]) -> dict[int, Draft]:
    rows = Draft.objects.filter(turn_id__in=[turn.pk for turn in turns]).order_by("pk")
    return {row.turn_id: row for row in rows if row.turn_id is not None}


def _trial(turn: Turn | None, draft: Draft | None) -> TrialShown:
    if turn is None:
        return TrialShown(is_heard=False, is_answered=False, words="", url="")
    if draft is None:
        words = f"It {decision_words(turn)}."
        return TrialShown(True, False, words, reverse("turn", args=[turn.pk]))
    waits = draft.status == Draft.Status.PENDING
    known = _ANSWERS.get(Draft.Status(draft.status))
    words = known or f"Its answer did not go out. {draft.reason}".strip()
    url = reverse("approvals") + f"#draft-{draft.pk}" if waits else reverse("turn", args=[turn.pk])
    return TrialShown(True, known is not None, words, url)
