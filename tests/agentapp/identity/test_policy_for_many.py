"""What is read for many users at once is what each of them may see, by the same rules."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from agentapp.conversation.models import Message
from agentapp.foundation import clock
from agentapp.identity import policy
from agentapp.identity.models import (
    Account,
    Agent,
    Identity,
    Participant,
    Room,
    Seat,
    User,
    Workspace,
)
from agentapp.identity.services import create_room
from agentapp.notifications.models import Notification
from agentapp.presence.models import Membership
from tests.town import Town, let_in, make_user

OURS = list(apps.get_app_config("agentapp").get_models(include_auto_created=False))


def people_of(town: Town) -> list[User]:
    """Return everybody of the town, and those who once were or only half are somebody there."""
    ended = make_user("Ended", is_active=False)
    make_user("Fallen", is_active=False, is_superuser=True)
    both = make_user("Both")
    guest_mod = make_user("Guestmod", is_guest=True)
    make_user("Adminguest", is_superuser=True, is_guest=True)
    unseated = make_user("Unseated")
    for user, role in (
        (ended, Seat.Role.OWNER),
        (both, Seat.Role.MEMBER),
        (both, Seat.Role.MODERATOR),
        (guest_mod, Seat.Role.MODERATOR),
    ):
        Seat.objects.create(user=user, workspace=town.workspace, role=role)
    Seat.objects.create(user=both, workspace=town.elsewhere, role=Seat.Role.OWNER)
    Agent.objects.filter(pk=town.bo.pk).update(owner=unseated)  # owned without a seat
    return [*User.objects.all()]


def furnish(town: Town) -> None:
    """Add rooms of every kind, and people and agents who came and went."""
    direct = create_room(
        workspace=town.workspace, name="Two", visibility="private", by=town.otto, kind="direct"
    )
    create_room(workspace=town.elsewhere, name="Away", visibility="public", by=town.fay)
    gone = create_room(workspace=town.workspace, name="Gone", visibility="private", by=town.otto)
    let_in(town.mira, direct)
    let_in(town.mira, gone)
    Membership.objects.filter(room=gone).update(state=Membership.State.LEFT, left_at=clock.now())
    Participant.objects.filter(room=town.den).update(left_at=clock.now())
    for room in (direct, town.den, town.square):
        Message.objects.create(
            workspace=room.workspace,
            room=room,
            external_id=f"m{room.pk}",
            author=Identity.objects.filter(user__isnull=False)[0],
            text="Hello",
            raw=b"Hello",
            sent_at=clock.now(),
        )
    for user in (town.gus, town.olga):
        Notification.objects.create(
            user=user,
            workspace=town.workspace,
            kind="draft.failed",
            subject_kind="draft",
            subject_id=1,
        )


def one_by_one(model: type[models.Model], users: list[User], column: str) -> dict[int, set[object]]:
    seen = {
        user.pk: set(policy.visible(model, user).values_list(column, flat=True)) for user in users
    }
    return {pk: rows for pk, rows in seen.items() if rows}


def together(model: type[models.Model], users: list[User], column: str) -> dict[int, set[object]]:
    seen = policy.visible_to_each(model, [user.pk for user in users], column=column)
    return {pk: set(rows) for pk, rows in seen.items() if rows}


def test_for_every_table_each_sees_the_same_as_alone(town: Town) -> None:
    furnish(town)
    users = people_of(town)
    told: dict[str, int] = {}

    for model in OURS:
        alone = one_by_one(model, users, "pk")
        assert together(model, users, "pk") == alone, model.__name__
        told[model.__name__] = len(alone)

    # Two admins see whatever there is; these must have told more kinds of people apart.
    for model in (Room, Agent, Account, Message, Notification, Workspace, User):
        assert told[model.__name__] > 2, model.__name__


def scattered(rng: random.Random) -> list[User]:
    """Make people with random ranks and seats, in random rooms of two workspaces."""
    owner = make_user("Root")
    places = [Workspace.objects.create(name=name) for name in ("One", "Two")]
    users = [
        make_user(
            f"u{n}",
            is_guest=rng.random() < 0.3,
            is_superuser=rng.random() < 0.1,
            is_active=rng.random() < 0.9,
        )
        for n in range(14)
    ]
    for user in users:
        for place in places:
            for role in Seat.Role:
                if rng.random() < 0.3:
                    Seat.objects.create(user=user, workspace=place, role=role)
    for n in range(12):
        room = Room.objects.create(
            workspace=rng.choice(places),
            platform="local",
            external_id=str(n),
            kind=rng.choice(Room.Kind.values),
            visibility=rng.choice(Room.Visibility.values),
        )
        for user in rng.sample([owner, *users], 4):
            handle, _ = Identity.objects.get_or_create(
                workspace=room.workspace, platform="local", external_id=f"u{user.pk}", user=user
            )
            Participant.objects.create(
                room=room, identity=handle, left_at=rng.choice([None, clock.now()])
            )
    return users


@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_where_each_sees_the_same_rooms_as_alone(town: Town, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    users = scattered(rng)
    for agent in (town.mira, town.bo):
        Agent.objects.filter(pk=agent.pk).update(owner=rng.choice(users))

    for model, column in ((Room, "pk"), (Agent, "pk"), (Account, "agent_id"), (Workspace, "pk")):
        alone = one_by_one(model, users, column)
        assert together(model, users, column) == alone, model.__name__


def test_more_people_are_no_more_queries(
    town: Town, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    users = people_of(town)

    for some in (users[:1], users):
        asked = [user.pk for user in some]
        with django_assert_max_num_queries(1):
            agents = policy.visible_to_each(Agent, asked)
        with django_assert_max_num_queries(7):
            rooms = policy.visible_to_each(Room, asked)
        assert agents.keys() == rooms.keys() <= set(asked)


def test_who_sees_the_same_shares_one_set(town: Town) -> None:
    twins = [make_user(name) for name in ("Tia", "Tom")]
    for twin in twins:
        Seat.objects.create(user=twin, workspace=town.workspace, role=Seat.Role.MEMBER)

    seen = policy.visible_to_each(Room, [twin.pk for twin in twins])

    assert seen[twins[0].pk] is seen[twins[1].pk]
    assert seen[twins[0].pk] == {town.square.pk}


def test_a_table_without_scope_is_shown_to_nobody() -> None:
    with pytest.raises(policy.Unscoped):
        policy.visible_to_each(models.Model, [])
