"""Agents that live on a homeserver: it hands over each event once, and nothing of it is lost."""

from __future__ import annotations

import json
import secrets
from functools import partial
from pathlib import Path

import pytest
from django.db import DataError
from django.test import override_settings

from agentapp.appservices import leases, parcels, services
from agentapp.appservices.models import ApplicationService, Parcel
from agentapp.appservices.parcels import ServiceLost
from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation.envelope import Place
from agentapp.foundation.errors import Unavailable
from agentapp.identity.models import Account, Room
from agentapp.intake import batches
from agentapp.intake.departures import end_login
from agentapp.intake.models import Lane
from agentapp.intake.parcels import accept_parcels
from agentapp.intake.seen import Batch, Invited
from agentapp.presence.models import Membership
from bots.bridge import Bridge
from bots.matrix.ghosts import haunting, reader
from tests.bots.matrix import ghosts
from tests.bots.matrix.ghosts import GhostMember
from tests.bots.matrix.test_storm import READING, WRITING, Storm, heard_by_people
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    health,
    login_agent,
    matrix_host,
    membership_of,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import SERVER_NAME, Synapse
from tests.faults.victims import nursery


@pytest.fixture
def service(live_cast: Cast, synapse: Synapse) -> ApplicationService:
    return ghosts.haunt(live_cast, synapse)


def waiting() -> int:
    return Parcel.objects.filter(taken_at__isnull=True).count()


def a_room_of_ghosts(cast: Cast, synapse: Synapse) -> tuple[Member, GhostMember, GhostMember, str]:
    """Return a member, two agents that live there, and a room with all of them."""
    ann = Member(synapse, "ann")
    ada, bo = GhostMember(synapse, "ada"), GhostMember(synapse, "bo")
    room = ann.opens(ada.user_id, bo.user_id, name="Tea")
    for agent, ghost in ((cast.ada, ada), (cast.bo, bo)):
        login_agent(cast, agent, synapse, ghost)
        ghost.joins(room)
    return ann, ada, bo, room


def state_of(service: ApplicationService) -> tuple[str, str]:
    row = ApplicationService.objects.get(pk=service.pk)
    return row.health, row.last_error


def test_from_the_registration_file_to_an_invitation(
    live_cast: Cast, synapse: Synapse, own_web: str, tmp_path: Path
) -> None:
    """The way of an owner: name it, install the file, restart, let an agent live there."""
    with override_settings(PUBLIC_URL=own_web):
        made = services.create(
            workspace_id=live_cast.workspace.pk,
            platform="matrix",
            domain=SERVER_NAME,
            address=synapse.url,
            prefix=f"g{secrets.token_hex(3)}-",
            by=live_cast.root,
        )
        live = partial(
            services.add_ghost,
            service_id=made.pk,
            agent_id=live_cast.ada.pk,
            localpart="Ada",
            by=live_cast.root,
        )
        with pytest.raises(Unavailable, match="does not know this application service"):
            live()
        file = tmp_path / "greenroom.yaml"
        file.write_text(services.registration(service_id=made.pk, by=live_cast.root))
        synapse.registrations.append(file)
        ann = Member(synapse, "ann")

        async def work(bridge: Bridge) -> None:
            async with matrix_host(bridge):
                await eventually(bridge, lambda: state_of(made)[0], "starting")
                await bridge.call(synapse.restart)
                await eventually(bridge, partial(state_of, made), ("ok", ""), seconds=30)
                account = await bridge.call(live)
                assert account.external_id == f"@{made.prefix}ada:{SERVER_NAME}"
                await connected(bridge, live_cast.ada)
                room = await bridge.call(partial(ann.opens, name="Tea"))
                await bridge.call(
                    partial(
                        ann.call,
                        "POST",
                        f"/rooms/{room}/invite",
                        {"user_id": account.external_id},
                    )
                )
                await eventually(bridge, lambda: invited_into(room), [live_cast.ada.pk])

        try:
            run(work)
        finally:
            synapse.registrations.remove(file)
            synapse.restart()


def invited_into(room: str) -> list[int]:
    rows = Membership.objects.filter(room__external_id=room, state=Membership.State.INVITED)
    return list(rows.values_list("agent_id", flat=True))


def test_what_is_said_is_taken_in_once_and_waits_for_each_of_them(
    live_cast: Cast, synapse: Synapse, service: ApplicationService
) -> None:
    ann, ada, bo, room = a_room_of_ghosts(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await connected(bridge, live_cast.bo)
            meant = {"m.mentions": {"user_ids": [bo.user_id]}}
            await bridge.call(partial(ann.says, room, f"{bo.user_id}?", **meant))
            await eventually(bridge, partial(record_of, room), [f"{bo.user_id}?"])
            for agent in (live_cast.ada, live_cast.bo):
                draft = await bridge.call(answers, agent, room, f"{agent.name} here")
                await eventually(bridge, lambda draft=draft: status_of(draft), "published")
            await eventually(bridge, waiting, 0)  # their echoes have come too

    run(work)
    question = Message.objects.get(text__startswith="@")
    assert [one.agent for one in question.mentions.all()] == [live_cast.bo]
    lanes = Lane.objects.filter(room=room_of(room))
    assert {one.agent_id for one in lanes} == {live_cast.ada.pk, live_cast.bo.pk}
    assert ann.hears(room, ada.user_id) == ["Ada here"]
    assert ann.hears(room, bo.user_id) == ["Bo here"]
    assert not any(bytes(one.content) for one in Parcel.objects.all())


@pytest.mark.usefixtures("clock_as_it_was")
def test_kills_of_who_takes_it_in_lose_and_double_nothing(
    live_cast: Cast, synapse: Synapse, service: ApplicationService, tmp_path: Path
) -> None:
    ann, ada, _, room = a_room_of_ghosts(live_cast, synapse)
    storm = Storm(live_cast, ann, ada, room)
    with nursery(log=tmp_path / "log") as victims:
        found = storm.rage(victims, (*READING * 3, *WRITING), burst=120)
    assert heard_by_people(found) == found.said
    assert found.heard == found.answered


def test_a_room_that_was_lost_unheard_is_noticed(
    live_cast: Cast, synapse: Synapse, service: ApplicationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a backup was brought back: what happened in between is never handed over again."""
    monkeypatch.setattr(haunting, "PULSE_SECONDS", 0.4)
    ann, ada, _, room = a_room_of_ghosts(live_cast, synapse)
    is_in = partial(membership_of, live_cast.ada, room)
    ban: dict[str, object] = {"user_id": ada.user_id}

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "active", seconds=20)
            monkeypatch.setattr(reader, "waiting_parcels", lambda **_: [])
            await bridge.call(partial(ann.call, "POST", f"/rooms/{room}/ban", ban))
            await eventually(bridge, is_in, "removed")

    run(work)
    assert is_in() == "removed"


def test_a_homeserver_that_cannot_reach_this_host_says_so(
    live_cast: Cast, synapse: Synapse, service: ApplicationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "marks", lambda _token: ["another"])  # every call is turned away

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, lambda: state_of(service)[0], "failing", seconds=20)

    run(work)
    assert "does not reach this host" in state_of(service)[1]


def test_a_token_that_is_not_known_is_no_lost_login(
    live_cast: Cast, synapse: Synapse, service: ApplicationService
) -> None:
    ada = GhostMember(synapse, "ada")
    account = login_agent(live_cast, live_cast.ada, synapse, ada)
    synapse.restart(app_service_config_files=[])
    try:

        async def work(bridge: Bridge) -> None:
            async with matrix_host(bridge):
                await eventually(bridge, lambda: health(live_cast.ada)[0], "failing", seconds=20)
                await bridge.call(synapse.restart)
                await eventually(bridge, lambda: health(live_cast.ada)[0], "ok", seconds=40)

        run(work)
    finally:
        synapse.restart()
    assert not Event.objects.filter(type="account.lost", subject_id=str(account.pk)).exists()


def test_whoever_lost_the_service_writes_nothing(
    live_cast: Cast, service: ApplicationService
) -> None:
    parcels.keep(service_id=service.pk, name="1", content=b"{}")
    (held,) = leases.take_free(holder="first", platforms=["matrix"])
    (parcel,) = parcels.waiting_parcels(service_id=service.pk, most=5)
    ApplicationService.objects.update(lease_until="2026-01-01T00:00:00Z")
    leases.take_free(holder="second", platforms=["matrix"])
    with pytest.raises(ServiceLost):
        accept_parcels([], service_id=service.pk, fence=held.fence, numbers=[parcel.number])
    assert parcels.waiting_parcels(service_id=service.pk, most=5) == [parcel]


def test_strangers_cannot_pile_up_invitations_in_one_parcel(
    live_cast: Cast, service: ApplicationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_INVITATIONS", 2)
    (held,) = leases.take_free(holder="here", platforms=["matrix"])
    account = Account.objects.get(agent=live_cast.ada, platform="local")
    each = [
        Batch(
            account_id=account.pk,
            fence=0,
            workspace_id=live_cast.workspace.pk,
            agent_id=live_cast.ada.pk,
            platform="matrix",
            cursor={},
            invited=(Invited(Place(f"!{n}", f"R{n}"), "@mallory:x"),),
        )
        for n in range(5)
    ]
    for _ in range(2):
        accept_parcels(each, service_id=service.pk, fence=held.fence, numbers=[])
    assert Membership.objects.filter(state=Membership.State.INVITED).count() == 2
    assert Room.objects.filter(platform="matrix").count() == 2


@pytest.mark.parametrize("trouble", [KeyError, DataError])
def test_what_nobody_can_read_holds_nothing_up(
    live_cast: Cast,
    synapse: Synapse,
    service: ApplicationService,
    monkeypatch: pytest.MonkeyPatch,
    trouble: type[Exception],
) -> None:
    """Neither nonsense in a transaction, nor what makes the reader itself fail each time."""
    ann, _, _, room = a_room_of_ghosts(live_cast, synapse)
    odd = [b"[1]", b'{"events": 7}', b'{"events": [{"room_id": 3}, 5, {"room_id": "!x"}]}']
    poison = json.dumps({"events": [{"room_id": "!poison", "type": "m.room.message"}]}).encode()
    for n, content in enumerate([*odd, poison]):
        parcels.keep(service_id=service.pk, name=f"odd{n}", content=content)
    walk = reader.Walker.walk

    async def fails(self: reader.Walker, room_id: str, *args: object, **more: object) -> object:
        if room_id == "!poison":
            raise trouble("poison")
        return await walk(self, room_id, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reader.Walker, "walk", fails)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ann.says, room, "Still there?")
            await eventually(bridge, partial(record_of, room), ["Still there?"], seconds=20)

    run(work)
    assert waiting() == 0


def test_an_agent_that_is_taken_away_leaves_and_the_token_stays(
    live_cast: Cast, synapse: Synapse, service: ApplicationService
) -> None:
    ann, ada, bo, room = a_room_of_ghosts(live_cast, synapse)
    account = Account.objects.get(agent=live_cast.ada, platform="matrix")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(partial(end_login, account_id=account.pk, by=live_cast.root))
            await eventually(
                bridge, lambda: Account.objects.get(pk=account.pk).state, "ended", seconds=20
            )
            draft = await bridge.call(answers, live_cast.bo, room, "I stay")
            await eventually(bridge, lambda: status_of(draft), "published")

    run(work)
    path = f"/rooms/{room}/state/m.room.member/{ada.user_id}"
    assert ann.call("GET", path)["membership"] == "leave"
    assert ann.hears(room, bo.user_id) == ["I stay"]
