"""Who may open a socket, listen to what, and for how long."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction

from agentapp.foundation import live
from agentapp.identity.models import Room, Seat, User
from agentapp.identity.services.rooms import (
    create_room,
    join_by_link,
    leave_room,
    make_room_link,
)
from agentapp.identity.services.tenancy import give_seat
from agentapp.notifications.services import notify
from agentapp.turns.models import Turn
from dashboard import consumers
from tests.cast import Cast, make_user
from tests.dashboard.live.sockets import (
    ORIGIN,
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

CLOSED_WITHIN_SECONDS = 5.0


def make_turn(cast: Cast) -> Turn:
    return Turn.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        room=cast.lounge,
        trigger_id=1,
        status=Turn.Status.RUNNING,
        decision=Turn.Decision.RESPOND,
    )


def private_room(cast: Cast) -> Room:
    return create_room(workspace=cast.workspace, name="Office", visibility="private", by=cast.root)


def enter(cast: Cast, room: Room) -> None:
    token = make_room_link(room_id=room.pk, by=cast.root)
    join_by_link(token=token, name="Sam", user=cast.sam)


def make_people(cast: Cast) -> dict[str, User]:
    moderator, outsider, admin = (make_user(name) for name in ("mo", "out", "admin"))
    give_seat(user=moderator, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    return {
        "owner": cast.root,
        "member": cast.sam,
        "moderator": moderator,
        "elsewhere": cast.olga,
        "nobody": outsider,
        "admin": admin,
    }


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


def draft_event(cast: Cast, number: int) -> dict[str, object]:
    return {
        "type": "agent.draft.created",
        "subject_kind": "draft",
        "subject_id": number,
        "workspace_id": cast.workspace.pk,
        "agent_id": cast.ada.pk,
        "room_id": cast.lounge.pk,
    }


def message_event(cast: Cast, number: int, *, room_id: int) -> dict[str, object]:
    return {
        "type": "message.received",
        "subject_kind": "message",
        "subject_id": number,
        "workspace_id": cast.workspace.pk,
        "room_id": room_id,
    }


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
        event = message_event(live_cast, 2, room_id=office.pk)
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
        event = message_event(live_cast, 3, room_id=live_cast.lounge.pk)
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
            await recorded(**message_event(live_cast, 10, room_id=office.pk))
            await tab.until(lambda: "10" in tab.ids(topic))
            await in_thread(leave_room, room_id=office.pk, user=live_cast.sam)
            await asyncio.sleep(0.5)
            await recorded(**message_event(live_cast, 11, room_id=office.pk))
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

    run(work)


# -- the door ----------------------------------------------------------------------------------


async def door(headers: list[tuple[bytes, bytes]], path: str = "/live/") -> bool:
    wire = communicator(headers, path=path)
    is_open = await opened(wire)
    await wire.send_input({"type": "websocket.disconnect", "code": 1000})
    await wire.wait(timeout=5)
    return is_open


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://evil.example",
        "https://localhost.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "file://",
        "http://[::1",
        "http://localhost:99999",
        "http://localhost:x",
        "javascript:alert(1)",
    ],
)
def test_a_page_of_another_site_cannot_open_a_socket(origin: str | None) -> None:
    headers = headers_of("", origin=origin)  # from our own page this gets as far as 4401

    async def work() -> None:
        assert not await door(headers)

    run(work)


def test_our_own_page_can(live_cast: Cast) -> None:
    headers = headers_of(session_of(live_cast.root), origin=ORIGIN)

    async def work() -> None:
        assert await door(headers)
        assert not await door(headers, path="/somewhere/")

    run(work)


async def close_code(session_key: str) -> int | None:
    async with page(session_key) as tab:
        await tab.until(lambda: tab.closed is not None)
        return tab.closed


def test_who_is_not_logged_in_is_closed_with_4401(live_cast: Cast) -> None:
    async def work() -> None:
        for key in ("", "nonsense", "x" * 5000, "\x7f", "'; --"):
            assert await close_code(key) == 4401, key

    run(work)


def test_a_session_that_ended_opens_nothing(live_cast: Cast) -> None:
    expired, changed, inactive = (
        session_of(user) for user in (live_cast.root, live_cast.sam, live_cast.mallory)
    )
    Session.objects.filter(session_key=expired).update(expire_date="2001-01-01T00:00Z")
    live_cast.sam.set_password("another long password")
    live_cast.sam.save()
    User.objects.filter(pk=live_cast.mallory.pk).update(is_active=False)

    async def work() -> None:
        for key in (expired, changed, inactive):
            assert await close_code(key) == 4401

    run(work)


async def closes_after(tab: Page) -> float:
    started = time.monotonic()
    await tab.until(lambda: tab.closed is not None, seconds=CLOSED_WITHIN_SECONDS)
    return time.monotonic() - started


def test_logging_out_ends_the_open_page_within_five_seconds(live_cast: Cast) -> None:
    key, other = session_of(live_cast.root), session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab, page(other) as same_user:
            await tab.listen("home")
            await in_thread(lambda: Session.objects.filter(session_key=key).delete())
            assert await closes_after(tab) < CLOSED_WITHIN_SECONDS
            assert tab.closed == 4401
            assert same_user.closed is None

    run(work)


def test_a_change_of_role_ends_the_open_page_within_five_seconds(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)

    def promote() -> None:
        with transaction.atomic():
            give_seat(user=live_cast.sam, workspace=live_cast.workspace, role=Seat.Role.OWNER)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen("home")
            await in_thread(promote)
            assert await closes_after(tab) < CLOSED_WITHIN_SECONDS
            assert tab.closed == 4403

    run(work)


# -- what a client may say -----------------------------------------------------------------------


NO_MESSAGES = {
    "not json": 4400,
    "[]": 4400,
    "{}": 4400,
    '{"op": "evaluate"}': 4400,
    '{"op": ["subscribe"]}': 4400,
    '{"op": "subscribe"}': 4400,
    '{"op": "subscribe", "topics": "home"}': 4400,
    '{"op": "subscribe", "topics": [5]}': 4400,
    "[" * 60_000: 4400,
    '{"op": "pong", "x": "' + "x" * 65_536 + '"}': 1009,
}


def test_what_is_no_message_of_ours_closes_the_socket(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        for text, code in NO_MESSAGES.items():
            async with page(key) as tab:
                await tab.say_raw(text)
                await tab.until(lambda tab=tab: tab.closed is not None)
                assert tab.closed == code, text[:60]

    run(work)


def test_more_than_twenty_messages_a_second_close_the_socket(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            for _ in range(consumers.MESSAGES_PER_SECOND):
                await tab.say(op="pong")
            await asyncio.sleep(0.3)
            assert tab.closed is None
            for _ in range(consumers.MESSAGES_PER_SECOND):
                await tab.say(op="pong")
            await tab.until(lambda: tab.closed is not None)
            assert tab.closed == 4429

    run(work)


def test_too_many_topics_are_refused(live_cast: Cast) -> None:
    key = session_of(live_cast.root)
    names = ["home", *(f"room:{number}" for number in range(100, 200))]

    async def work() -> None:
        async with page(key) as tab:
            await tab.say(op="subscribe", topics=names, since=None)
            await tab.until(lambda: bool(tab.ops("refused")))
            assert "home" not in tab.ops("refused")[0]["topics"]

    run(work)


def test_a_nonsense_cursor_is_no_error(live_cast: Cast) -> None:
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab:
            for since in ("", "x", "1", "9" * 40 + ".1", 5, [], {"a": 1}, "\ud800.1"):
                await tab.say_raw(
                    json.dumps({"op": "subscribe", "topics": ["home"], "since": since})
                )
            await tab.listen("home")
            assert tab.closed is None

    run(work)


def test_unsubscribing_ends_the_stream(live_cast: Cast) -> None:
    key, topic = session_of(live_cast.root), f"room:{live_cast.lounge.pk}"

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen(topic, since=f"{2**62}.0")
            await tab.say(op="unsubscribe")
            await asyncio.sleep(0.2)
            await recorded(**message_event(live_cast, 20, room_id=live_cast.lounge.pk))
            await asyncio.sleep(0.5)
            assert tab.ids(topic) == set()

    run(work)


def test_a_silent_client_is_pinged_and_then_let_go(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "PING_SECONDS", 0.2)
    monkeypatch.setattr(consumers, "SILENT_SECONDS", 0.6)
    key = session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as silent, page(key) as alive:
            for _ in range(6):
                await alive.say(op="pong")
                await asyncio.sleep(0.2)
            assert alive.closed is None
            assert silent.closed == 1001
            assert silent.ops("ping")
            assert all(frame["c"].count(".") == 1 for frame in alive.ops("ping"))

    run(work)


def test_watching_without_a_demo_is_no_error(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)

    async def work() -> None:
        async with page(key) as tab:
            await tab.say(op="watch")
            await tab.listen("home")
            assert tab.closed is None

    run(work)
