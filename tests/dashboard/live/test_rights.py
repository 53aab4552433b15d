"""What is read about many people at once is what is true of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from agentapp.identity.models import Account, Agent, Room, Seat, User, Workspace
from agentapp.identity.policy import visible
from dashboard import rights
from dashboard.topics import Rights
from tests.dashboard.live.sockets import session_of
from tests.rows import put_back
from tests.town import Town, make_town, make_user

QUERIES_FOR_RIGHTS = 14
QUERIES_FOR_LOGINS = 3


@pytest.fixture
def town(db: None) -> Town:
    return put_back(make_town)


def everybody(town: Town) -> list[User]:
    """Return the town's people, and some whose rank alone must not show them anything."""
    gone = make_user("Gone", is_active=False)
    lapsed = make_user("Lapsed")
    Seat.objects.create(user=gone, workspace=town.workspace, role=Seat.Role.OWNER)
    Seat.objects.create(user=town.otto, workspace=town.workspace, role=Seat.Role.MODERATOR)
    Agent.objects.filter(pk=town.bo.pk).update(owner=lapsed)
    return list(User.objects.order_by("pk"))


def read_alone(user: User) -> Rights:
    def seats(role: Seat.Role) -> set[int]:
        held = Seat.objects.filter(user=user, role=role)
        return set(held.values_list("workspace_id", flat=True))

    agents = visible(Agent, user)
    owns = (
        set(visible(Workspace, user).values_list("pk", flat=True))
        if user.is_superuser
        else seats(Seat.Role.OWNER)
    )
    return Rights(
        user_id=user.pk,
        agents=set(agents.values_list("pk", flat=True)),
        private=set(visible(Account, user).values_list("agent_id", flat=True)),
        owned=set(agents.filter(owner=user).values_list("pk", flat=True)),
        rooms=set(visible(Room, user).values_list("pk", flat=True)),
        owns=owns,
        staffs=owns | seats(Seat.Role.MODERATOR),
    )


def shown(one: Rights) -> dict[str, object]:
    return {name: getattr(one, name) for name in Rights.__slots__ if name != "alike"}


def test_rights_read_together_are_those_of_each(town: Town) -> None:
    people = everybody(town)

    found = rights.rights_of([user.pk for user in people])

    assert found.keys() == {user.pk for user in people if user.is_active}
    for user in people:
        if user.is_active:
            assert shown(found[user.pk]) == shown(read_alone(user)), user.username
    assert len({str(shown(one)) for one in found.values()}) > 5


def test_more_people_cost_no_more_queries(
    town: Town, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    people = everybody(town)
    keys = [session_of(user) for user in people if user.is_active]

    for some in (people[:1], people):
        with django_assert_max_num_queries(QUERIES_FOR_RIGHTS):
            rights.rights_of([user.pk for user in some])
    for few in (keys[:1], keys):
        with django_assert_max_num_queries(QUERIES_FOR_LOGINS):
            assert len(rights.logins(few)) == len(few)


def test_a_session_that_is_known_is_asked_for_again_every_time(town: Town) -> None:
    """What was taken apart is remembered; whether it still holds is not."""
    keys = {name: session_of(getattr(town, name)) for name in ("olga", "otto", "mona", "gus")}
    assert rights.logins(keys.values()).keys() == set(keys.values())

    Session.objects.filter(session_key=keys["olga"]).delete()
    User.objects.filter(pk=town.otto.pk).update(is_active=False)
    town.mona.set_password("another long password")
    town.mona.save()

    assert rights.logins(keys.values()).keys() == {keys["gus"]}
