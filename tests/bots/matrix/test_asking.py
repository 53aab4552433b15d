"""Members ask about themselves in a room on a homeserver, and one agent answers, in private."""

from __future__ import annotations

from functools import partial

from agentapp.drafts.models import Draft
from agentapp.engine.worker import work_lanes
from agentapp.events.models import Event
from agentapp.identity.models import Account, Identity, Person
from agentapp.intake.models import Lane
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn
from bots.bridge import Bridge
from tests.bots.matrix.world import (
    Member,
    connected,
    login_agent,
    matrix_host,
    membership_of,
    room_of,
)
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.synapse import Synapse

SECRET = "I am afraid of my exam."


def remember(cast: Cast, member: Member, room: str) -> None:
    """Let both agents remember something of a member."""
    person = Identity.objects.get(external_id=member.user_id).person
    for agent in (cast.ada, cast.bo):
        Memory.objects.create(
            workspace=cast.workspace,
            agent=agent,
            person=person,
            room=room_of(room),
            audience="room",
            text=SECRET,
            text_hash=agent.name,
        )


def notices(member: Member, room: str) -> list[str]:
    return [
        str(event["content"]["body"])
        for event in member.reads(room)
        if event["content"].get("msgtype") == "m.notice"
    ]


def a_room_and_a_direct_one(cast: Cast, synapse: Synapse) -> tuple[Member, str, str]:
    """Return a member, a room with two agents and others, and the member's own with one agent."""
    ann, ben, ada, bo = (Member(synapse, name) for name in ("ann", "ben", "ada", "bo"))
    tea = ann.opens(ada.user_id, bo.user_id, ben.user_id, name="Tea")
    direct = ben.opens(ada.user_id, is_direct=True)
    for member, rooms in ((ada, (tea, direct)), (bo, (tea,)), (ben, (tea,))):
        for room in rooms:
            member.joins(room)
    login_agent(cast, cast.ada, synapse, ada)
    login_agent(cast, cast.bo, synapse, bo)
    return ben, tea, direct


async def settled_in(bridge: Bridge, cast: Cast, ben: Member, tea: str, direct: str) -> None:
    """Wait until both agents are in their rooms and know that Ben is."""
    for agent in (cast.ada, cast.bo):
        await connected(bridge, agent)
        await eventually(bridge, partial(membership_of, agent, tea), "active")
    await eventually(bridge, partial(membership_of, cast.ada, direct), "active")
    for room in (direct, tea):
        await bridge.call(ben.says, room, "good evening everybody")
    seen = Identity.objects.filter(external_id=ben.user_id, rooms__room__external_id=direct)
    await eventually(bridge, seen.exists, True)


def test_two_agents_read_a_wish_and_one_answers_where_nobody_else_reads(
    live_cast: Cast, synapse: Synapse
) -> None:
    ben, tea, direct = a_room_and_a_direct_one(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await settled_in(bridge, live_cast, ben, tea, direct)
            await bridge.call(remember, live_cast, ben, tea)

            await bridge.call(ben.says, direct, "!mydata")
            await eventually(bridge, lambda: len(notices(ben, direct)), 1)
            await bridge.call(ben.says, tea, "!forget")
            await eventually(bridge, lambda: len(notices(ben, direct)), 2)
            # What both logins have read is on record; neither has anything left to decide.
            asked = Event.objects.filter(type="command.carried_out")
            await eventually(bridge, asked.count, 2)

    run(work)
    told, receipt = notices(ben, direct)
    assert "Ada remembers 1 thing" in told
    assert SECRET in told
    assert "Ada: 1 memory" in receipt
    assert "Bo: 1 memory" in receipt
    assert notices(ben, tea) == []
    assert not Memory.objects.exists()
    assert Draft.objects.count() == 2
    wishes = Lane.objects.filter(room__external_id=tea).values_list("wanted_through", flat=True)
    assert set(wishes) == {min(wishes)}  # the greeting; the wish itself woke nobody
    assert not LLMCall.objects.exists()


def test_stop_in_words_is_for_all_agents_and_answered_once(
    live_cast: Cast, synapse: Synapse
) -> None:
    ben, tea, direct = a_room_and_a_direct_one(live_cast, synapse)
    ada = Account.objects.get(agent=live_cast.ada, platform="matrix").external_id
    person = Person.objects.filter(identities__external_id=ben.user_id)

    def is_stopped() -> bool:
        return person.filter(stopped_at__isnull=False).exists()

    def ignored() -> int:
        work_lanes(limit=10)
        alone = Turn.objects.filter(agent=live_cast.ada, outcome="left_alone")
        return alone.filter(room__external_id=tea).count()

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await settled_in(bridge, live_cast, ben, tea, direct)
            await bridge.call(ben.says, tea, f"{ada}: Lass mich in Ruhe!")
            await eventually(bridge, is_stopped, True)
            await eventually(bridge, lambda: len(notices(ben, direct)), 1)
            await bridge.call(ben.says, tea, f"{ada}: are you there?")
            await eventually(bridge, ignored, 1)
            await bridge.call(ben.says, tea, f"{ada}, start again")
            await eventually(bridge, is_stopped, False)
            await bridge.call(ben.says, direct, "!why")
            await eventually(bridge, lambda: len(notices(ben, direct)), 3)

    run(work)
    stopped, again, why = notices(ben, direct)
    assert "You are left alone" in stopped
    assert "again" in again
    assert "a fixed text of the host" in why
    assert notices(ben, tea) == []
    assert set(Draft.objects.values_list("metadata__code", flat=True)) == {"command"}
    assert not LLMCall.objects.exists()
