from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.db import models

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.foundation import clock
from agentapp.foundation.errors import NotFound, Refused
from agentapp.identity import policy
from agentapp.identity.models import (
    Agent,
    ApiToken,
    Identity,
    LoginLink,
    Participant,
    Person,
    Room,
    Seat,
    User,
    Workspace,
)
from agentapp.identity.policy import Verb, can
from agentapp.identity.services import create_room
from agentapp.presence.models import Membership
from tests.town import Town, let_in

OURS = list(apps.get_app_config("agentapp").get_models(include_auto_created=False))


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_model_says_whose_it_is(model: type[models.Model]) -> None:
    _, anchor = policy.scope_of(model)

    assert anchor in {Agent, Workspace, Room, User, None}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_strangers_see_no_row_of_any_model(town: Town, model: type[models.Model]) -> None:
    inactive = User.objects.create(username="gone", is_active=False, is_superuser=True)

    assert not policy.visible(model, AnonymousUser()).exists()
    assert not policy.visible(model, inactive).exists()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_the_admin_sees_every_row(town: Town, model: type[models.Model]) -> None:
    seen = policy.visible(model, town.admin).count()

    assert seen == model._default_manager.count()


def test_an_owner_sees_own_agents_and_not_a_neighbours(town: Town) -> None:
    assert set(policy.visible(Agent, town.olga)) == {town.mira}
    assert set(policy.visible(Agent, town.otto)) == {town.bo}
    assert not policy.visible(Agent, town.fay).exists()


def test_an_owner_who_lost_the_seat_no_longer_sees_the_agent(town: Town) -> None:
    Seat.objects.filter(user=town.olga).delete()

    assert not policy.visible(Agent, town.olga).exists()
    assert not can(town.olga, Verb.MANAGE, town.mira)
    assert not policy.visible(Room, town.olga).exists()


def test_a_moderator_sees_agents_and_rooms_but_not_what_belongs_to_agents(town: Town) -> None:
    assert set(policy.visible(Agent, town.mona)) == {town.mira, town.bo}
    assert set(policy.visible(Room, town.mona)) == {town.lobby, town.den, town.square}
    assert not policy.visible(Draft, town.mona).exists()
    assert not policy.visible(Membership, town.mona).exists()


def test_a_moderator_does_not_see_direct_rooms(town: Town) -> None:
    direct = create_room(
        workspace=town.workspace, name="Two", visibility="private", by=town.olga, kind="direct"
    )

    assert not can(town.mona, Verb.VIEW, direct)


def test_rooms_are_seen_by_who_is_there_and_by_owners_of_agents_there(town: Town) -> None:
    assert set(policy.visible(Room, town.gus)) == {town.lobby}  # a guest, so not the square
    assert set(policy.visible(Room, town.olga)) == {town.lobby, town.square}
    assert set(policy.visible(Room, town.otto)) == {town.den, town.square}
    assert not policy.visible(Room, town.fay).exists()


def test_an_agent_that_left_takes_its_owners_view_along(town: Town) -> None:
    membership = let_in(town.mira, town.den)
    assert can(town.olga, Verb.VIEW, town.den)

    membership.state, membership.left_at = Membership.State.LEFT, clock.now()
    membership.save()

    assert not can(town.olga, Verb.VIEW, town.den)


def test_who_left_a_room_no_longer_sees_it_nor_its_messages(town: Town) -> None:
    author = Identity.objects.get(user=town.gus)
    message = Message.objects.create(
        workspace=town.workspace,
        room=town.lobby,
        external_id="1",
        author=author,
        text="hello",
        sent_at=clock.now(),
    )
    assert can(town.gus, Verb.VIEW, message)

    Participant.objects.filter(identity=author).update(left_at=clock.now())

    assert not can(town.gus, Verb.VIEW, message)
    assert can(town.olga, Verb.VIEW, message)


def test_a_member_sees_no_people_and_no_logins_of_the_workspace(town: Town) -> None:
    for model in (Person, Identity, Seat, LoginLink, ApiToken):
        assert not policy.visible(model, town.gus).exists(), model
    assert set(policy.visible(Workspace, town.gus)) == {town.workspace}
    assert set(policy.visible(User, town.gus)) == {town.gus}


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("olga", {Verb.VIEW, Verb.MANAGE, Verb.APPROVE}),
        ("otto", set()),
        ("mona", {Verb.VIEW, Verb.MODERATE}),
        ("gus", set()),
        ("fay", set()),
        ("admin", {Verb.VIEW, Verb.MANAGE, Verb.APPROVE, Verb.MODERATE, Verb.ADMIN}),
    ],
)
def test_what_each_may_do_with_an_agent(town: Town, who: str, verbs: set[Verb]) -> None:
    user = getattr(town, who)

    assert {verb for verb in Verb if can(user, verb, town.mira)} == verbs


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("olga", {Verb.VIEW, Verb.MANAGE, Verb.CHAT}),
        ("otto", set()),
        ("mona", {Verb.VIEW, Verb.MODERATE}),
        ("gus", {Verb.VIEW, Verb.CHAT}),
        ("fay", set()),
    ],
)
def test_what_each_may_do_with_a_private_room(town: Town, who: str, verbs: set[Verb]) -> None:
    user = getattr(town, who)

    assert {verb for verb in Verb if can(user, verb, town.lobby)} == verbs


def test_nobody_chats_in_a_room_that_is_gone(town: Town) -> None:
    town.lobby.gone_at = clock.now()
    town.lobby.save()

    assert not can(town.gus, Verb.CHAT, town.lobby)


def test_not_even_the_admin_speaks_in_somebody_elses_direct_room(town: Town) -> None:
    direct = create_room(
        workspace=town.workspace, name="Two", visibility="private", by=town.olga, kind="direct"
    )

    assert not can(town.admin, Verb.CHAT, direct)
    assert can(town.olga, Verb.CHAT, direct)


def test_a_hidden_row_is_not_found_and_a_visible_one_is_refused(town: Town) -> None:
    with pytest.raises(NotFound):
        policy.require(town.otto, Verb.MANAGE, town.mira)
    with pytest.raises(Refused):
        policy.require(town.mona, Verb.MANAGE, town.mira)
    with pytest.raises(NotFound):
        policy.get(Agent, town.otto, pk=town.mira.pk)


def test_a_model_without_scope_is_shown_to_nobody(town: Town) -> None:
    with pytest.raises(policy.Unscoped):
        policy.visible(ContentType, town.admin)
