from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from agentapp.events.models import Event
from agentapp.foundation.errors import Conflict, Invalid, NotFound, Refused
from agentapp.identity import services as identity
from agentapp.identity.models import Account, Agent, BlueprintVersion, Identity
from tests.town import SPEC, Town, make_town


def test_a_new_agent_is_live_and_can_enter_web_rooms(town: Town) -> None:
    agent = identity.create_agent(
        owner=town.olga, workspace=town.workspace, name="Nils", spec=SPEC, template="calm"
    )

    assert (agent.status, agent.version.n) == (Agent.Status.LIVE, 1)
    assert agent.version.spec["template"] == "calm"
    handle = f"agent:{agent.pk}"
    assert Account.objects.filter(agent=agent, platform="local", external_id=handle).exists()
    shown = Identity.objects.get(agent=agent)
    assert (shown.external_id, shown.kind, shown.name) == (handle, "agent", "Nils")
    assert Event.objects.filter(type="agent.created", agent_id=agent.pk).count() == 1


def test_only_an_owner_makes_agents(town: Town) -> None:
    for user in (town.mona, town.gus, town.fay):
        with pytest.raises(Refused):
            identity.create_agent(owner=user, workspace=town.workspace, name="X", spec=SPEC)


@pytest.mark.parametrize("name", ["Ана", "Mira", "🎭", "a" * 500, "\u202eMira\x00"])
def test_any_readable_name_gives_an_own_slug(town: Town, name: str) -> None:
    agents = [
        identity.create_agent(owner=town.olga, workspace=town.workspace, name=name, spec=SPEC)
        for _ in range(2)
    ]

    assert len({agent.slug for agent in agents}) == 2
    assert all(agent.slug.isascii() for agent in agents)


def test_a_change_makes_a_version_and_the_same_text_none(town: Town) -> None:
    changed = {"instructions": "You are loud."}

    second = identity.save_version(agent_id=town.mira.pk, spec=changed, author=town.olga)
    again = identity.save_version(agent_id=town.mira.pk, spec=changed, author=town.olga)

    assert (second.n, again) == (2, second)
    town.mira.refresh_from_db()
    assert town.mira.version == second
    assert Event.objects.filter(type="agent.versioned").count() == 1


def test_an_earlier_version_can_be_taken_back(town: Town) -> None:
    first = town.mira.version
    identity.save_version(agent_id=town.mira.pk, spec={"instructions": "Loud."}, author=town.olga)

    identity.pin_version(agent_id=town.mira.pk, n=1, author=town.olga)

    town.mira.refresh_from_db()
    assert town.mira.version == first
    with pytest.raises(NotFound):
        identity.pin_version(agent_id=town.mira.pk, n=9, author=town.olga)


def test_the_database_keeps_versions_as_they_are(town: Town) -> None:
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        BlueprintVersion.objects.filter(pk=town.mira.version_id).update(spec={})


def test_pausing_twice_is_one_pause(town: Town) -> None:
    for _ in range(2):
        assert identity.pause_agent(agent_id=town.mira.pk, by=town.olga).status == "paused"
    for _ in range(2):
        assert identity.resume_agent(agent_id=town.mira.pk, by=town.olga).status == "live"

    assert Event.objects.filter(type="agent.paused").count() == 1
    assert Event.objects.filter(type="agent.resumed").count() == 1


def test_an_archived_agent_does_not_come_back(town: Town) -> None:
    identity.archive_agent(agent_id=town.mira.pk, by=town.olga)

    with pytest.raises(Conflict):
        identity.resume_agent(agent_id=town.mira.pk, by=town.olga)
    with pytest.raises(Conflict):
        identity.save_version(agent_id=town.mira.pk, spec=SPEC, author=town.olga)


def test_others_cannot_change_an_agent(town: Town) -> None:
    with pytest.raises(NotFound):
        identity.pause_agent(agent_id=town.mira.pk, by=town.otto)
    with pytest.raises(Refused):
        identity.pause_agent(agent_id=town.mira.pk, by=town.mona)
    with pytest.raises(NotFound):
        identity.save_version(agent_id=town.mira.pk, spec=SPEC, author=town.gus)
    with pytest.raises(NotFound):
        identity.pause_agent(agent_id=10**12, by=town.admin)
    town.mira.refresh_from_db()
    assert town.mira.status == Agent.Status.LIVE


def test_a_refused_agent_leaves_nothing_behind(town: Town) -> None:
    before = Agent.objects.count()

    with pytest.raises(Invalid):
        identity.create_agent(owner=town.olga, workspace=town.workspace, name="", spec=SPEC)

    assert Agent.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_savers_at_once_get_numbers_of_their_own() -> None:
    town = make_town()
    start = threading.Barrier(4)
    numbers: list[int] = []

    def save(word: str) -> None:
        start.wait(timeout=10)
        try:
            spec = {"instructions": word}
            saved = identity.save_version(agent_id=town.mira.pk, spec=spec, author=town.olga)
            numbers.append(saved.n)
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(word,)) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert sorted(numbers) == [2, 3, 4, 5]
