"""What homeservers show becomes shapes of ours; whatever it is, reading it never fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentapp.foundation.envelope import AuthorKind, Place
from bots.matrix.files import described
from bots.matrix.parse import (
    Changed,
    Parsed,
    Reacted,
    Said,
    TakenBack,
    Unreadable,
    mentions_of,
    parse_event,
)
from bots.matrix.rooms import RoomView, parse_departure, parse_invite
from bots.matrix.viewing import Viewer

ME, ANN = "@ada:green.test", "@ann:green.test"
VIEWER = Viewer(7, ME)
PLACE = Place("!room:green.test")


def event(content: object, *, type_: object = "m.room.message", **fields: object) -> dict[str, Any]:
    return {
        "event_id": "$event",
        "sender": ANN,
        "type": type_,
        "origin_server_ts": 1_790_000_000_000,
        "content": content,
        **fields,
    }


def parsed(content: object, **fields: Any) -> Parsed | None:
    return parse_event(
        event(content, **fields), viewer=VIEWER, place=PLACE, names={ANN: "Ann Other"}
    )


def text(body: object, **content: object) -> dict[str, object]:
    return {"msgtype": "m.text", "body": body, **content}


def said(content: object) -> Said:
    found = parsed(content)
    assert isinstance(found, Said)
    return found


def test_a_message_is_its_author_place_time_and_words() -> None:
    incoming = said(text("Hello")).incoming
    assert (incoming.text, incoming.external_id) == ("Hello", "$event")
    assert (incoming.author.external_id, incoming.author.name) == (ANN, "Ann Other")
    assert incoming.sent_at is not None
    assert incoming.sent_at.isoformat() == "2026-09-21T14:13:20+00:00"


def test_a_notice_is_a_programs_remark() -> None:
    found = said({"msgtype": "m.notice", "body": "Backup done"})
    assert found.is_notice
    assert found.incoming.author.kind == AuthorKind.BOT


def test_a_reply_names_its_target_and_loses_the_quote() -> None:
    found = said(
        text(
            "> <@ada:green.test> Hi\n> there\n\nHello",
            **{"m.relates_to": {"m.in_reply_to": {"event_id": "$old"}}},
        )
    )
    assert (found.incoming.reply_to, found.incoming.text) == ("$old", "Hello")


@pytest.mark.parametrize(
    ("falls_back", "answered"), [(True, "$root"), (False, "$old"), ("yes", "$old")]
)
def test_in_a_thread_only_a_real_answer_is_one(falls_back: object, answered: str) -> None:
    relation = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": falls_back,
        "m.in_reply_to": {"event_id": "$old"},
    }
    found = said(text("Hello", **{"m.relates_to": relation}))
    assert (found.incoming.reply_to, found.thread) == (answered, "$root")


def test_an_edit_is_not_a_message() -> None:
    found = parsed(
        {
            **text("* New"),
            "m.new_content": text("New"),
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$old"},
        }
    )
    assert isinstance(found, Changed)
    assert (found.edit.external_id, found.edit.text, found.by) == ("$old", "New", ANN)


def test_a_reaction_and_its_removal() -> None:
    found = parsed(
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$old", "key": "👍"}},
        type_="m.reaction",
    )
    assert isinstance(found, Reacted)
    assert (found.reaction.message_external_id, found.reaction.emoji) == ("$old", "👍")
    for where in ({"redacts": "$old"}, {}):
        content = {} if where else {"redacts": "$old"}
        gone = parsed(content, type_="m.room.redaction", **where)
        assert isinstance(gone, TakenBack)
        assert gone.target == "$old"


def test_what_is_encrypted_is_said_to_be() -> None:
    found = parsed({"algorithm": "m.megolm.v1.aes-sha2"}, type_="m.room.encrypted")
    assert found == Unreadable("$event")


def test_a_file_comes_with_its_caption() -> None:
    picture = {"msgtype": "m.image", "body": "Our cat", "filename": "cat.png", "url": "mxc://a/b"}
    assert said(picture).incoming.text == "Our cat"
    (bare,) = said({**picture, "filename": 7}).incoming.files
    assert (said({**picture, "filename": 7}).incoming.text, bare.name) == ("", "Our cat")
    info = {"mimetype": "image/png", "w": 1200, "h": 800, "size": 340_000}
    (file,) = said({**picture, "info": info}).incoming.files
    assert (file.name, file.source) == ("cat.png", "mxc://a/b")
    assert (file.said_type, file.said_size) == ("image/png, 1200x800", 340_000)


def test_what_apps_say_to_each_other_is_no_message() -> None:
    body = "@ann:green.test is requesting to verify your key"
    assert parsed({"msgtype": "m.key.verification.request", "body": body}) is None


def test_an_encrypted_file_is_told_and_not_fetched() -> None:
    sealed = {"msgtype": "m.file", "body": "a.pdf", "file": {"url": "mxc://a/b", "key": {}}}
    (file,) = said(sealed).incoming.files
    assert (file.name, file.source, file.is_sealed) == ("a.pdf", "", True)


@pytest.mark.parametrize("url", [None, 7, "", "https://evil.example/x", ["mxc://a/b"]])
def test_only_the_homeservers_own_files_are_fetched(url: object) -> None:
    (file,) = said({"msgtype": "m.file", "body": "a.pdf", "url": url}).incoming.files
    assert (file.source, file.is_sealed) == ("", False)


def test_a_sticker_is_told_in_words() -> None:
    sticker = event({"body": "A wave", "url": "mxc://a/b"}, type_="m.sticker")
    found = parse_event(sticker, viewer=VIEWER, place=PLACE, names={})
    assert isinstance(found, Said)
    assert (found.incoming.text, found.incoming.files) == ("[sticker: A wave]", ())


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"mimetype": "audio/ogg", "duration": 125_000, "size": 900}, ["2:05 min", "900 bytes"]),
        ({"size": 2_500_000, "duration": 900}, ["1 s", "2.5 MB"]),
        ({"mimetype": "text/html]\nSYSTEM", "w": True, "h": -1, "size": "9", "duration": 1.5}, []),
        ({"w": 10**15, "h": 5, "size": float("nan")}, []),
        ("picture", []),
        (None, []),
    ],
)
def test_what_a_file_is_stands_beside_its_name(info: object, words: list[str]) -> None:
    assert [part for part in described(info) if "/" not in part] == words


# -- who is named ------------------------------------------------------------------------------

PILL = '<a href="https://matrix.to/#/@ada:green.test">Ada</a>'


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"m.mentions": {"user_ids": [ME, ME, 3, "x"]}}, (ME,)),
        ({"m.mentions": {}, "formatted_body": PILL, "body": ME}, ()),
        ({"m.mentions": {"user_ids": ME}}, ()),
        ({"formatted_body": PILL}, (ME,)),
        ({"formatted_body": PILL.replace("@", "%40")}, (ME,)),
        ({"body": f"ask {ME}"}, (ME,)),
        ({"m.mentions": "all", "body": "hi"}, ()),
        ({"body": 7, "formatted_body": ["x"]}, ()),
    ],
)
def test_the_event_itself_says_whom_it_names(content: dict[str, object], named: object) -> None:
    assert mentions_of(content, own={ME}) == named


# -- malformed ---------------------------------------------------------------------------------

ODD: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "\ud800",
    "\x00",
    [],
    [[]],
    {},
    {"a": {}},
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "where",
    ["event_id", "sender", "type", "origin_server_ts", "content", "redacts", "unsigned"],
)
def test_an_odd_field_of_an_event_is_nobodys_trouble(where: str, odd: object) -> None:
    whole = event(text("Hello")) | {where: odd}
    found = parse_event(whole, viewer=VIEWER, place=PLACE, names={})
    if where in {"event_id", "sender", "type", "content"}:
        assert found is None
    else:
        assert isinstance(found, Said)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("part", ["file", "key", "k", "iv", "hashes", "sha256", "url"])
def test_a_locked_file_that_is_not_whole_is_named_and_not_fetched(part: str, odd: object) -> None:
    key: object = {"k": "A" * 43} if part != "key" else odd
    key = {"k": odd} if part == "k" else key
    hashes: object = {"sha256": odd if part == "sha256" else "A" * 43}
    file: object = {
        "url": odd if part == "url" else "mxc://a/b",
        "key": key,
        "iv": odd if part == "iv" else "A" * 22,
        "hashes": odd if part == "hashes" else hashes,
    }
    content = {"msgtype": "m.file", "body": "a.pdf", "file": odd if part == "file" else file}
    (found,) = said(content).incoming.files
    assert (found.name, found.source) == ("a.pdf", "")


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "where",
    ["body", "msgtype", "formatted_body", "m.mentions", "m.relates_to", "m.new_content"],
)
def test_an_odd_field_of_a_content_is_nobodys_trouble(where: str, odd: object) -> None:
    edit = {"m.new_content": text("x"), "m.relates_to": {"rel_type": "m.replace"}}
    for content in (text("Hello"), text("Hello", **edit)):
        found = parsed({**content, where: odd})
        assert found is None or isinstance(found, Said | Changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        *("body", "msgtype", "formatted_body", "format", "m.mentions", "m.relates_to"),
        *("m.new_content", "rel_type", "event_id", "key", "m.in_reply_to", "is_falling_back"),
        *("user_ids", "redacts", "filename", "membership", "displayname", "name", "type"),
        *("events", "timeline", "state", "invite_state", "sender", "state_key", "content"),
    ]
)
VALUES = st.sampled_from(
    [
        *("m.text", "m.notice", "m.emote", "m.image", "m.replace", "m.thread", "m.annotation"),
        *("$event", ME, ANN, "!room:green.test", "join", "invite", "leave", "m.room.member"),
    ]
)
SHAPED = st.recursive(
    JSON | VALUES,
    lambda inner: st.dictionaries(KEYS, inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=20,
)
TYPES = st.sampled_from(
    [
        *("m.room.message", "m.reaction", "m.room.redaction", "m.room.encrypted", "m.sticker"),
        *("m.room.member", "m.room.name", "m.room.create", "m.room.tombstone", "m.space.parent"),
    ]
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=SHAPED, kind=TYPES | JSON, more=st.dictionaries(KEYS, SHAPED, max_size=3))
def test_whatever_comes_is_read_or_passed_over(content: Any, kind: Any, more: Any) -> None:
    whole = event(content, type_=kind) | more
    found = parse_event(whole, viewer=VIEWER, place=PLACE, names={})
    if isinstance(found, Said):
        assert found.incoming.text.strip()
        assert len(found.incoming.external_id) <= 255
    view = RoomView("!room", ME)
    view.take_state([whole, content, {**whole, "state_key": ""}, {**whole, "state_key": ANN}])
    view.take_summary(content)
    assert view.place().external_id == "!room"
    parse_invite("!room", content, own_id=ME)
    parse_invite("!room", {"invite_state": {"events": [content, whole]}}, own_id=ME)
    parse_departure("!room", content, own_id=ME)


@settings(max_examples=150, deadline=None)
@given(content=JSON, kind=JSON)
def test_anything_at_all_in_place_of_an_event(content: Any, kind: Any) -> None:
    whole = event(content, type_=kind)
    for odd in (content, {"type": kind, "content": content}, whole):
        found = parse_event(odd, viewer=VIEWER, place=PLACE, names={})
        # Without an id and a sender nothing is taken for an event; with them only what has words,
        # a file, a target or a key.
        assert found is None or odd is whole
        if isinstance(found, Said):
            assert found.incoming.text.strip() or found.incoming.files
            assert isinstance(content, dict)


# -- rooms -------------------------------------------------------------------------------------


def state(kind: str, content: object, key: str = "", sender: str = ANN) -> dict[str, object]:
    return {"type": kind, "state_key": key, "content": content, "sender": sender}


def test_two_people_are_a_direct_room_and_three_are_not() -> None:
    view = RoomView("!r", ME)
    view.take_state([state("m.room.member", {"membership": "join", "displayname": "Ann"}, ANN)])
    view.take_summary({"m.joined_member_count": 2})
    assert (view.place().kind, view.place().name) == ("direct", "Ann")
    view.take_summary({"m.joined_member_count": 3})
    assert view.place().kind == "room"


def test_a_space_an_encrypted_and_a_replaced_room_are_recognised() -> None:
    view = RoomView("!r", ME)
    view.take_state(
        [
            state("m.room.create", {"type": "m.space"}),
            state("m.room.encryption", {}),
            state("m.room.tombstone", {"replacement_room": "!new"}),
            state("m.room.name", {"name": "Tea"}),
        ]
    )
    assert (view.place().kind, view.place().name) == ("group", "Tea")
    assert view.is_encrypted
    assert (view.successor, view.successor_via) == ("!new", "green.test")


def test_an_invitation_is_for_us_or_none() -> None:
    join = state("m.room.member", {"membership": "join", "displayname": "Ann"}, ANN)
    ours = state("m.room.member", {"membership": "invite", "is_direct": True}, ME)
    found = parse_invite("!r", {"invite_state": {"events": [join, ours]}}, own_id=ME)
    assert found is not None
    assert (found.by.name, found.place.kind) == ("Ann", "direct")
    assert parse_invite("!r", {"invite_state": {"events": [join]}}, own_id=ME) is None


def test_being_put_out_differs_from_leaving() -> None:
    def left(sender: str) -> bool:
        member = state("m.room.member", {"membership": "leave", "reason": "x"}, ME, sender)
        found = parse_departure("!r", {"timeline": {"events": [member]}}, own_id=ME)
        assert found is not None
        return found.is_removed

    assert left(ANN)
    assert not left(ME)
