from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from agentapp.conversation.models import Message
from agentapp.demo import queries, services
from agentapp.demo.models import DemoRun
from agentapp.demo.rules import LONGEST_WATCH, WATCHED_FOR
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Blueprint, Identity, Person, Room, Seat, User, Workspace
from agentapp.llm.models import Provider
from agentapp.presence.models import Membership
from tests.cast import Cast


def test_a_demo_is_a_workspace_of_its_own_with_three_agents_in_one_room(cast: Cast) -> None:
    run = services.start(user=cast.root)

    assert run.workspace.is_demo
    assert run.workspace_id != cast.workspace.pk
    assert Agent.objects.filter(workspace=run.workspace, owner=cast.root).count() == 3
    assert Membership.objects.filter(room=run.room, state="active").count() == 3
    roles = set(Seat.objects.filter(workspace=run.workspace).values_list("user", "role"))
    assert roles == {(cast.root.pk, "owner"), (cast.root.pk, "moderator")}
    assert Event.objects.filter(type="demo.started", workspace_id=run.workspace_id).count() == 1


def test_its_members_are_scripted_and_its_only_provider_is_the_rehearsal(cast: Cast) -> None:
    run = services.start(user=cast.root)

    present = Identity.objects.filter(rooms__room=run.room)
    assert present.filter(kind="scripted", person__isnull=False).count() == 5
    assert present.exclude(kind="scripted").get().user == cast.root
    assert [p.kind for p in Provider.objects.filter(workspace=run.workspace)] == ["rehearsal"]


def test_the_words_of_one_agent_wait_for_its_owner(cast: Cast) -> None:
    run = services.start(user=cast.root)

    rules = dict(
        Agent.objects.filter(workspace=run.workspace).values_list("name", "approval_rules")
    )
    assert rules["Juno"]["message"] == "owner"
    assert rules["Mira"] == rules["Otto"] == {}


def test_starting_again_returns_the_same_demo(cast: Cast) -> None:
    first = services.start(user=cast.root)
    assert services.start(user=cast.root).pk == first.pk
    assert Workspace.objects.filter(is_demo=True).count() == 1


def test_every_user_has_a_demo_of_their_own(cast: Cast) -> None:
    mine = services.start(user=cast.root)
    theirs = services.start(user=cast.olga)
    assert mine.workspace_id != theirs.workspace_id


@pytest.mark.usefixtures("live_cast")
def test_two_first_logins_at_once_make_one_demo() -> None:
    user = User.objects.get(username="root")

    def start(_: int) -> int:
        try:
            return services.start(user=user).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


def test_watching_keeps_it_going_and_time_that_nobody_watched_is_given_back(cast: Cast) -> None:
    run = services.start(user=cast.root)
    began, ends = clock.now(), run.ends_at

    with clock.shifted(timedelta(hours=2)):
        assert queries.get_view(user=cast.root, now=clock.now()).state == "paused"
        assert services.watch(user=cast.root)
        run.refresh_from_db()
        assert queries.get_view(user=cast.root, now=clock.now()).state == "running"

    away = timedelta(hours=2) - WATCHED_FOR
    assert abs(run.ends_at - ends - away) < timedelta(seconds=5)
    assert run.ends_at - began > LONGEST_WATCH


def test_watching_often_writes_rarely(cast: Cast) -> None:
    run = services.start(user=cast.root)
    services.watch(user=cast.root)
    before = DemoRun.objects.get(pk=run.pk).watched_at
    services.watch(user=cast.root)
    assert DemoRun.objects.get(pk=run.pk).watched_at == before == run.watched_at


def test_nobody_watches_a_demo_that_is_not_there(cast: Cast) -> None:
    assert not services.watch(user=cast.olga)


def test_removing_leaves_nothing_of_it_and_nothing_else_is_touched(cast: Cast) -> None:
    kept = {model: model.objects.count() for model in KINDS}
    run = services.start(user=cast.root)
    room_id = run.room_id

    assert services.remove(user=cast.root)

    assert {model: model.objects.count() for model in KINDS} == kept
    assert not Room.objects.filter(pk=room_id).exists()
    assert Event.objects.filter(type="demo.removed", actor_id=str(cast.root.pk)).count() == 1


KINDS = (Workspace, Agent, Blueprint, Room, Identity, Person, Membership, Provider, Message, Seat)


def test_removing_twice_is_harmless(cast: Cast) -> None:
    services.start(user=cast.root)
    assert services.remove(user=cast.root)
    assert not services.remove(user=cast.root)


def test_a_removed_demo_does_not_come_back_at_the_next_login_but_can_be_asked_for(
    cast: Cast,
) -> None:
    assert services.start_at_login(user=cast.root) is not None
    services.remove(user=cast.root)
    assert services.start_at_login(user=cast.root) is None
    assert services.start(user=cast.root).workspace.is_demo
