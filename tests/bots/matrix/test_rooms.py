"""Coming, going, and rooms that are not for talking."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from agentapp.drafts.models import Draft
from agentapp.events.models import Event
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.identity.models import Account, Room
from agentapp.intake.batches import ENCRYPTED_NOTICE
from agentapp.notifications.models import Notification
from agentapp.presence import errands, invitations
from agentapp.presence.models import Membership
from agentapp.presence.services import remove_agent
from bots.bridge import Bridge
from tests.bots.matrix.ghosts import hired
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    membership_of,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse

pytestmark = pytest.mark.usefixtures("each_way")


def a_room_of_three(cast: Cast, synapse: Synapse, **fields: object) -> tuple[Member, Member, str]:
    """Return a member, the agent's own client, and a room of theirs."""
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    room = ann.opens(ada.user_id, **fields)
    ada.joins(room)
    login_agent(cast, cast.ada, synapse, ada)
    return ann, ada, room


@pytest.mark.parametrize(
    ("how", "state"), [("kick", "removed"), ("ban", "removed"), ("leave", "left")]
)
@pytest.mark.parametrize("is_awake", [True, False])
def test_leaving_ends_the_membership(
    live_cast: Cast, synapse: Synapse, how: str, state: str, is_awake: bool
) -> None:
    ann, ada, room = a_room_of_three(live_cast, synapse)
    is_in = partial(membership_of, live_cast.ada, room)

    def goes() -> None:
        body: dict[str, object] = {"user_id": ada.user_id, "reason": "too loud"}
        if how == "leave":
            ada.call("POST", f"/rooms/{room}/leave", {})
        else:
            ann.call("POST", f"/rooms/{room}/{how}", body)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "active")
            if is_awake:
                await bridge.call(goes)
                await eventually(bridge, is_in, state)
        if not is_awake:
            await bridge.call(goes)
            async with matrix_host(bridge):
                await eventually(bridge, is_in, state)

    run(work)
    left = Event.objects.get(type="membership.left")
    assert left.payload["reason"] == ("" if how == "leave" else "too loud")


def test_after_a_kick_it_comes_back_only_by_entering_anew(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada, room = a_room_of_three(live_cast, synapse)
    is_in = partial(membership_of, live_cast.ada, room)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "active")
            await bridge.call(ann.call, "POST", f"/rooms/{room}/kick", {"user_id": ada.user_id})
            await eventually(bridge, is_in, "removed")
            await bridge.call(ann.says, room, "while it was away")
            await bridge.call(ann.call, "POST", f"/rooms/{room}/invite", {"user_id": ada.user_id})
            await eventually(bridge, is_in, "invited")
            await bridge.call(ada.joins, room)
            await eventually(bridge, is_in, "active")
            await bridge.call(ann.says, room, "welcome back")
            await eventually(bridge, partial(record_of, room), ["welcome back"])

    run(work)
    assert record_of(room) == ["welcome back"]


@pytest.mark.parametrize("is_awake", [True, False])
def test_who_was_taken_out_here_leaves_there_and_stays_out(
    live_cast: Cast, synapse: Synapse, is_awake: bool
) -> None:
    ann, ada, room = a_room_of_three(live_cast, synapse)
    is_in = partial(membership_of, live_cast.ada, room)

    def take_out() -> None:
        remove_agent(room_id=room_of(room).pk, agent_id=live_cast.ada.pk, by=live_cast.root)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "active")
            if is_awake:
                await bridge.call(take_out)
                await eventually(bridge, partial(seen_as, ann, room, ada.user_id), "decline")
        if not is_awake:
            await bridge.call(take_out)
        async with matrix_host(bridge):
            await eventually(bridge, partial(seen_as, ann, room, ada.user_id), "decline")
            assert await bridge.call(is_in) == "left"

    run(work)


# -- invitations -------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["accept", "decline"])
@pytest.mark.parametrize("restarts", [True, False])
def test_an_invitation_waits_for_the_owner(
    live_cast: Cast,
    synapse: Synapse,
    decision: str,
    restarts: bool,
) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    login_agent(live_cast, live_cast.ada, synapse, ada)
    room = ann.opens(ada.user_id, name="Tea")
    is_in = partial(membership_of, live_cast.ada, room)

    decide = partial(decides, live_cast, decision)
    ends = "active" if decision == "accept" else "left"

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "invited")
            assert (await bridge.call(room_of, room)).name == "Tea"
            if not restarts:
                await bridge.call(decide)
                await eventually(bridge, is_in, ends)
        if restarts:
            await bridge.call(decide)
        async with matrix_host(bridge):
            await eventually(bridge, is_in, ends)
            await eventually(bridge, partial(seen_as, ann, room, ada.user_id), decision)
            if decision == "accept":
                await bridge.call(ann.says, room, "Welcome")
                await eventually(bridge, partial(record_of, room), ["Welcome"])

    run(work)
    assert decision == "decline" or is_listed_as_direct(ada, ann, room)
    assert not invitations.waiting(agent_id=live_cast.ada.pk).exists()


def decides(cast: Cast, decision: str) -> None:
    one = invitations.waiting(agent_id=cast.ada.pk).get()
    act = {
        "accept": invitations.accept_invitation,
        "decline": invitations.decline_invitation,
    }[decision]
    with pytest.raises(NotFound):
        act(membership_id=one.pk, by=cast.olga)
    act(membership_id=one.pk, by=cast.root)
    with pytest.raises(Conflict):
        act(membership_id=one.pk, by=cast.root)


def is_listed_as_direct(ada: Member, ann: Member, room: str) -> bool:
    listed = ada.call("GET", f"/user/{ada.user_id}/account_data/m.direct")
    return listed == {ann.user_id: [room]}


def seen_as(ann: Member, room: str, user_id: str) -> str:
    found = ann.call("GET", f"/rooms/{room}/state/m.room.member/{user_id}")["membership"]
    return {"join": "accept", "leave": "decline"}.get(str(found), str(found))


def test_an_invitation_that_was_withdrawn_is_void(live_cast: Cast, synapse: Synapse) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    login_agent(live_cast, live_cast.ada, synapse, ada)
    room = ann.opens(ada.user_id)
    is_in = partial(membership_of, live_cast.ada, room)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "invited")
            await bridge.call(ann.call, "POST", f"/rooms/{room}/kick", {"user_id": ada.user_id})
            await eventually(bridge, is_in, "removed")

    run(work)
    note = Notification.objects.get()
    assert (note.user, note.kind) == (live_cast.root, "invitation")


# -- rooms of other kinds ----------------------------------------------------------------------


def test_a_space_is_known_and_nobody_talks_there(live_cast: Cast, synapse: Synapse) -> None:
    ann, _, room = a_room_of_three(
        live_cast, synapse, name="House", creation_content={"type": "m.space"}
    )

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ann.says, room, "Hello, space")
            await bridge.call(ann.sets, room, "m.room.name", {"name": "Home"})
            await eventually(bridge, lambda: room_of(room).name, "Home")

    run(work)
    assert room_of(room).kind == Room.Kind.GROUP
    assert record_of(room) == []
    assert not Membership.objects.filter(room=room_of(room), left_at__isnull=True).exists()


def test_who_is_let_into_a_space_is_not_sent_there_again_and_again(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    login_agent(live_cast, live_cast.ada, synapse, ada)
    space = {"creation_content": {"type": "m.space"}, "name": "Home"}
    room = ann.opens(ada.user_id, **space)
    is_in = partial(membership_of, live_cast.ada, room)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, is_in, "invited", seconds=20)
            row = await bridge.call(Membership.objects.get, room__external_id=room)
            await bridge.call(
                partial(invitations.accept_invitation, membership_id=row.pk, by=live_cast.root)
            )
            await eventually(bridge, partial(seen_as, ann, room, ada.user_id), "accept")
            await eventually(bridge, is_in, "left")

    run(work)
    account = Account.objects.get(agent=live_cast.ada, platform="matrix")
    assert errands.due(accounts=[account.pk]) == []


def test_an_encrypted_room_hears_once_that_nothing_is_read(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada, room = a_room_of_three(live_cast, synapse)
    algorithm: dict[str, object] = {"algorithm": "m.megolm.v1.aes-sha2"}

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(ann.says, room, "in plain")
            await eventually(bridge, partial(record_of, room), ["in plain"])
            await bridge.call(ann.sets, room, "m.room.encryption", algorithm)
            await bridge.call(ann.sends, room, "m.room.encrypted", {**algorithm, "ciphertext": "x"})
            await eventually(bridge, partial(ann.hears, room, ada.user_id), [ENCRYPTED_NOTICE])
            refused = await bridge.call(answers, live_cast.ada, room, "A secret")
            await eventually(bridge, lambda: status_of(refused), "failed")
        async with matrix_host(bridge):
            await bridge.call(ann.sends, room, "m.room.encrypted", {**algorithm, "ciphertext": "y"})
            await asyncio.sleep(1.0)

    run(work)
    assert ann.hears(room, ada.user_id) == [ENCRYPTED_NOTICE]
    notice = [one for one in ann.reads(room) if one["sender"] == ada.user_id][-1]
    assert notice["content"]["msgtype"] == "m.notice"
    assert Draft.objects.filter(metadata__notice=True).count() == 1
    assert room_of(room).encrypted


def test_a_replaced_room_is_followed(live_cast: Cast, synapse: Synapse) -> None:
    ann, _, room = a_room_of_three(live_cast, synapse, preset="public_chat")

    async def work(bridge: Bridge) -> str:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            answer = await bridge.call(
                ann.call, "POST", f"/rooms/{room}/upgrade", {"new_version": "11"}
            )
            new = str(answer["replacement_room"])
            await eventually(bridge, partial(membership_of, live_cast.ada, new), "active")
            await bridge.call(ann.says, new, "Here we are")
            await eventually(bridge, partial(record_of, new), ["Here we are"])
            return new

    assert run(work) != room
    assert room_of(room).gone_at is not None
