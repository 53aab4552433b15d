"""Who may listen to what, and hears of it."""

from __future__ import annotations

import asyncio

import pytest

from agentapp.foundation import live
from agentapp.identity.services.rooms import leave_room
from agentapp.notifications.services import notify
from tests.cast import Cast
from tests.dashboard.live.people import (
    draft_event,
    enter,
    make_people,
    make_turn,
    message_event,
    private_room,
)
from tests.dashboard.live.sockets import (
    Page,
    communicator,
    headers_of,
    in_thread,
    opened,
    page,
    recorded,
    run,
    session_of,
)

# What each may listen to. `office` is private to its owner; moderators see every room of theirs.
MATRIX = {
    "owner": {"lounge", "office", "agent", "turn"},
    "member": {"lounge"},
    "moderator": {"lounge", "office", "agent"},
    "elsewhere": set(),
    "nobody": set(),
    "admin": {"lounge", "office", "agent"},  # words of a turn stay with the agent's owner
}


def test_each_role_may_listen_to_exactly_its_own(live_cast: Cast) -> None:
    office, turn = private_room(live_cast), make_turn(live_cast)
    topics = {
        "lounge": f"room:{live_cast.lounge.pk}",
        "office": f"room:{office.pk}",
        "agent": f"agent:{live_cast.ada.pk}",
        "turn": f"turn:{turn.pk}",
    }
    missing = ["room:999999", "agent:999999", "turn:999999", "home:1", "room:x", "events", "room:"]
    people = {name: session_of(user) for name, user in make_people(live_cast).items()}

    async def work() -> None:
        for name, key in people.items():
            async with page(key) as tab:
                refused = await tab.listen(*topics.values(), *missing, "home", "drafts")
                allowed = {word for word, topic in topics.items() if topic not in refused}
                assert allowed == MATRIX[name], name
                assert set(missing) <= set(refused), name

    run(work)


BROAD = ("home", "rooms", "agents", "drafts", "costs", "notifications")


async def open_pages(cast: Cast, keys: dict[str, str]) -> dict[str, Page]:
    """Open one page per role on every list and the lounge, with the past left behind."""
    tabs: dict[str, Page] = {}
    for name, key in keys.items():
        wire = communicator(headers_of(key))
        assert await opened(wire)
        tabs[name] = Page(wire)
        await tabs[name].listen(*BROAD, f"room:{cast.lounge.pk}", since=f"{2**62}.0")
    return tabs


async def heard_by(
    cast: Cast, keys: dict[str, str], event: dict[str, object]
) -> dict[str, set[str]]:
    """Return on which topics each role hears of an event."""
    tabs = await open_pages(cast, keys)
    await recorded(**event)
    await asyncio.sleep(1.0)
    heard = {name: tab.topics() for name, tab in tabs.items()}
    for tab in tabs.values():
        await tab.leave()
    return heard


def test_drafts_are_told_to_whoever_may_read_them_only(live_cast: Cast) -> None:
    keys = {name: session_of(user) for name, user in make_people(live_cast).items()}
    everywhere = {"home", "drafts", "agents", "rooms", f"room:{live_cast.lounge.pk}"}

    async def work() -> None:
        heard = await heard_by(live_cast, keys, draft_event(live_cast, 1))
        assert heard.pop("owner") == everywhere
        assert heard.pop("admin") == everywhere
        assert set(heard) == {"member", "moderator", "elsewhere", "nobody"}
        assert not any(heard.values())

    run(work)


def test_a_member_never_hears_of_rooms_he_is_not_in(live_cast: Cast) -> None:
    office = private_room(live_cast)
    keys = {name: session_of(user) for name, user in make_people(live_cast).items()}

    async def work() -> None:
        event = message_event(live_cast, 2, room=office)
        heard = await heard_by(live_cast, keys, event)
        assert {name for name, topics in heard.items() if topics} == {
            "owner",
            "moderator",
            "admin",
        }

    run(work)


def test_a_members_room_is_told_to_him(live_cast: Cast) -> None:
    keys = {"member": session_of(live_cast.sam)}

    async def work() -> None:
        event = message_event(live_cast, 3)
        heard = await heard_by(live_cast, keys, event)
        assert heard["member"] == {"home", "rooms", f"room:{live_cast.lounge.pk}"}

    run(work)


@pytest.mark.parametrize(
    ("type_", "hearers"),
    [
        ("llm.call.finished", {"owner", "admin"}),
        ("budget.changed", {"owner", "admin"}),
        ("agent.paused", set()),
    ],
)
def test_costs_are_told_to_owners_only(live_cast: Cast, type_: str, hearers: set[str]) -> None:
    keys = {name: session_of(user) for name, user in make_people(live_cast).items()}
    agent_id = None if type_.startswith("budget") else live_cast.ada.pk
    event: dict[str, object] = {
        "type": type_,
        "subject_kind": "call",
        "subject_id": 4,
        "workspace_id": live_cast.workspace.pk,
        "agent_id": agent_id,
    }

    async def work() -> None:
        heard = await heard_by(live_cast, keys, event)
        assert {name for name, topics in heard.items() if "costs" in topics} == hearers

    run(work)


def test_a_note_reaches_its_user_only(live_cast: Cast) -> None:
    keys = {"owner": session_of(live_cast.root), "member": session_of(live_cast.sam)}

    async def work() -> None:
        tabs = await open_pages(live_cast, keys)
        await in_thread(
            notify,
            user_id=live_cast.sam.pk,
            workspace_id=live_cast.workspace.pk,
            kind="draft.failed",
            subject_kind="draft",
            subject_id=1,
            text="It could not be sent.",
        )
        await tabs["member"].until(lambda: "notifications" in tabs["member"].topics())
        await asyncio.sleep(0.3)
        assert tabs["owner"].topics() == set()
        for tab in tabs.values():
            await tab.leave()

    run(work)


def test_words_of_a_turn_reach_the_agents_owner_only(live_cast: Cast) -> None:
    turn = make_turn(live_cast)
    people = make_people(live_cast)
    keys = {name: session_of(people[name]) for name in ("owner", "member", "moderator", "admin")}

    async def work() -> None:
        tabs: dict[str, Page] = {}
        for name, key in keys.items():
            wire = communicator(headers_of(key))
            assert await opened(wire)
            tabs[name] = Page(wire)
            await tabs[name].listen(f"turn:{turn.pk}")
        await in_thread(live.publish, f"turn:{turn.pk}", tokens="psst")
        await tabs["owner"].until(lambda: any("tokens" in f for f in tabs["owner"].frames))
        await asyncio.sleep(0.3)
        for name in ("member", "moderator", "admin"):
            assert not any("tokens" in frame for frame in tabs[name].frames), name
        for tab in tabs.values():
            await tab.leave()

    run(work)


def test_who_left_a_room_hears_nothing_more_of_it(live_cast: Cast) -> None:
    office = private_room(live_cast)
    enter(live_cast, office)
    key, topic = session_of(live_cast.sam), f"room:{office.pk}"

    async def work() -> None:
        async with page(key) as tab:
            assert await tab.listen(topic, since=f"{2**62}.0") == []
            await recorded(**message_event(live_cast, 10, room=office))
            await tab.until(lambda: "10" in tab.ids(topic))
            await in_thread(leave_room, room_id=office.pk, user=live_cast.sam)
            await asyncio.sleep(0.5)
            await recorded(**message_event(live_cast, 11, room=office))
            await in_thread(live.publish, topic, typing="1", on=True)
            await asyncio.sleep(1.0)
            assert "11" not in tab.ids(topic)
            assert not any("typing" in frame for frame in tab.frames)

    run(work)


def test_who_enters_a_room_hears_of_it_at_once(live_cast: Cast) -> None:
    office, key = private_room(live_cast), session_of(live_cast.sam)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen("rooms", since=f"{2**62}.0")
            await in_thread(enter, live_cast, office)
            await tab.until(lambda: "rooms" in tab.topics(), seconds=3)
            assert "rooms" in tab.topics()

    run(work)
