"""Which topics an event touches, and who may hear of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.topics import Notice, Rights, Topic, may_hear, may_listen, topics_of

MESSAGE = Notice(1, "message.received", "message", "9", workspace_id=1, agent_id=None, room_id=5)
DRAFT = Notice(2, "agent.draft.created", "draft", "9", workspace_id=1, agent_id=3, room_id=5)
STRANGER = Rights(user_id=1)
MEMBER = Rights(user_id=2, rooms={5})
OWNER = Rights(user_id=3, agents={3}, private={3}, owned={3}, rooms={5}, owns={1}, staffs={1})
MODERATOR = Rights(user_id=4, agents={3}, rooms={5}, staffs={1})


def named(notice: Notice) -> set[str]:
    return {str(topic) for topic in topics_of(notice)}


@pytest.mark.parametrize(
    ("notice", "topics"),
    [
        (MESSAGE, {"home", "room:5", "rooms"}),
        (DRAFT, {"home", "room:5", "rooms", "agent:3", "agents", "drafts"}),
        (
            replace(DRAFT, type="turn.finished", subject_kind="turn", subject_id="77"),
            {"home", "room:5", "rooms", "agent:3", "agents", "turn:77"},
        ),
        (
            replace(DRAFT, type="llm.call.finished", room_id=None),
            {"home", "agent:3", "agents", "costs"},
        ),
        (
            replace(MESSAGE, type="budget.changed", room_id=None, subject_kind="budget"),
            {"home", "costs"},
        ),
        (replace(MESSAGE, type="safety.stopped", room_id=None), {"home", "agents"}),
        (
            replace(MESSAGE, type="notification.made", room_id=None),
            {"home", "notifications"},
        ),
    ],
)
def test_an_event_touches_these_topics(notice: Notice, topics: set[str]) -> None:
    assert named(notice) == topics


@pytest.mark.parametrize("kind", ["home", "rooms", "room"])
def test_talk_in_a_room_is_for_whoever_sees_the_room(kind: str) -> None:
    assert [may_hear(kind, MESSAGE, who) for who in (MEMBER, OWNER, MODERATOR)] == [True] * 3
    assert not may_hear(kind, MESSAGE, STRANGER)
    assert not may_hear(kind, MESSAGE, Rights(user_id=3, owns={1}, staffs={1}))


@pytest.mark.parametrize("kind", ["home", "rooms", "room", "agents", "agent", "drafts"])
def test_drafts_are_between_an_agent_and_its_owner(kind: str) -> None:
    assert may_hear(kind, DRAFT, OWNER)
    assert not any(may_hear(kind, DRAFT, who) for who in (STRANGER, MEMBER, MODERATOR))


def test_a_moderator_hears_that_an_agent_was_paused() -> None:
    paused = replace(DRAFT, type="agent.paused", room_id=None)
    assert may_hear("agents", paused, MODERATOR)
    assert not may_hear("agents", paused, MEMBER)


@pytest.mark.parametrize(("workspace_id", "heard"), [(1, True), (2, False), (None, True)])
def test_a_stop_is_told_to_whoever_answers_for_the_place(
    workspace_id: int | None, heard: bool
) -> None:
    stop = replace(MESSAGE, type="safety.stopped", room_id=None, workspace_id=workspace_id)
    assert may_hear("agents", stop, MODERATOR) is heard
    assert not may_hear("agents", stop, MEMBER)


def test_a_note_is_for_its_user_on_every_topic() -> None:
    note = replace(MESSAGE, type="notification.made", subject_kind="user", subject_id="2")
    for kind in ("home", "notifications", "rooms"):
        assert may_hear(kind, note, MEMBER)
        assert not may_hear(kind, note, OWNER)


@pytest.mark.parametrize(
    ("topic", "listeners"),
    [
        ("room:5", {2, 3, 4}),
        ("agent:3", {3, 4}),
        ("turn:77", {3}),
        ("home", {1, 2, 3, 4}),
    ],
)
def test_a_topic_is_open_to(topic: str, listeners: set[int]) -> None:
    parsed = Topic.parse(topic)
    assert parsed is not None
    everybody = (STRANGER, MEMBER, OWNER, MODERATOR)
    assert {who.user_id for who in everybody if may_listen(parsed, who, turn_agent=3)} == listeners


def test_words_of_a_turn_of_nobody_are_for_nobody() -> None:
    assert not may_listen(Topic("turn", 77), OWNER, turn_agent=None)


@given(st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))
def test_any_name_is_a_topic_that_prints_the_same_or_none(name: object) -> None:
    topic = Topic.parse(name)
    assert topic is None or str(topic) == name


@pytest.mark.parametrize("name", ["room:05", "room:1 ", "room:-1", "room:٣", "room:" + "9" * 19])
def test_a_row_has_one_name_only(name: str) -> None:
    assert Topic.parse(name) is None
