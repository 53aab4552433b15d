"""A whole answer to a sync, of any shape, becomes a batch; what is odd in it is left out."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.seen import Batch, Remark
from bots.matrix.errors import Rejected
from bots.matrix.harvest import Harvest, Harvester
from bots.matrix.recent import Recent
from bots.matrix.settle import Settler
from tests.bots.matrix.test_parse import ME, ODD, SHAPED, event, state, text

ACCOUNT = HeldAccount(uuid.UUID(int=1), 7, 3, "matrix", ME, "Ada", 5)


class Elsewhere:
    """A homeserver that knows nothing more, and a record in which nothing stands."""

    async def call(self, function: Any, *_args: Any, **_kwargs: Any) -> Any:
        ids = getattr(function, "keywords", {}).get("ids")
        return ids if ids is not None else []

    async def event(self, *_args: Any) -> Any:
        raise Rejected("M_NOT_FOUND", 404)

    async def relations(self, *_args: Any) -> Any:
        raise Rejected("M_NOT_FOUND", 404)

    async def messages(self, *_args: Any, **_kwargs: Any) -> Any:
        return {}


def harvested(rooms: object, *, since: str = "s1", inside: str = "!room") -> Harvest:
    nowhere: Any = Elsewhere()
    harvester = Harvester(
        server=nowhere,
        account=ACCOUNT,
        inside={inside},
        recent=Recent(),
        settler=Settler(server=nowhere, bridge=nowhere, workspace_id=7),
    )
    answer = {"next_batch": "s2", "rooms": rooms}
    return asyncio.run(harvester.read(answer, since=since))


def joined(**room: object) -> dict[str, object]:
    return {"join": {"!room": room}}


def batch(**room: object) -> Batch:
    return harvested(joined(**room)).batch


def test_a_batch_is_under_the_accounts_fence_with_the_new_cursor() -> None:
    found = batch(timeline={"events": [event(text("Hello"))]})
    assert (found.account_id, found.fence, found.cursor) == (uuid.UUID(int=1), 5, {"since": "s2"})
    assert [item.text for item in found.rooms[0].items] == ["Hello"]  # type: ignore[union-attr]


def test_the_first_sync_ever_takes_no_messages() -> None:
    rooms = joined(timeline={"events": [event(text("Long ago"))]})
    found = harvested(rooms, since="").batch
    assert found.rooms[0].items == ()


def test_a_room_without_news_is_not_touched() -> None:
    members = [state("m.room.name", {"name": "Tea"})]
    assert batch(state={"events": members}, timeline={"events": []}).rooms == ()


def test_what_was_said_before_it_came_is_left_out() -> None:
    entry = state("m.room.member", {"membership": "join"}, ME) | {"event_id": "$in"}
    events = [event(text("before")), entry, event(text("after"))]
    found = harvested(joined(timeline={"events": events}), inside="!other").batch
    assert [item.text for item in found.rooms[0].items] == ["after"]  # type: ignore[union-attr]


def test_a_replaced_room_is_followed_once_it_is_news() -> None:
    tombstone = state("m.room.tombstone", {"replacement_room": "!new"})
    found = harvested(joined(timeline={"events": [tombstone]}))
    assert found.followed == [("!new", "green.test")]
    assert found.batch.rooms[0].is_gone


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("where", ["join", "invite", "leave", "timeline", "state", "summary"])
def test_an_odd_part_of_an_answer_is_left_out(where: str, odd: object) -> None:
    if where in {"join", "invite", "leave"}:
        found = [
            harvested({where: odd}).batch,
            harvested({where: {"!room": odd, 3: odd, "room": odd}}).batch,
        ]
    else:
        found = [
            batch(**{where: odd}),
            batch(**{where: {"events": odd, "limited": True, "prev_batch": odd}}),
        ]
    for each in found:
        assert each.cursor == {"since": "s2"}
        assert [item for room in each.rooms for item in room.items] == []
        assert {room.place.external_id for room in each.rooms} <= {"!room"}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(rooms=SHAPED, content=SHAPED, since=st.sampled_from(["", "s1"]))
def test_whatever_an_answer_holds_it_is_read(rooms: Any, content: Any, since: str) -> None:
    found = [harvested(rooms, since=since)]
    events = [content, event(content), event(content, type_="m.reaction"), state("m.x", content)]
    part = {"events": events, "limited": True, "prev_batch": "p"}
    shaped = {"!room": {"timeline": part, "state": content, "summary": content}}
    whole = {"join": shaped, "invite": {"!room": {"invite_state": part}}}
    found.append(harvested(whole, since=since))
    found.append(harvested({"leave": shaped}, since=since, inside="!other"))
    assert all(each.batch.cursor == {"since": "s2"} for each in found)


# -- who looks after a room, and whose words nobody answers --------------------------------------

CREATE = state("m.room.create", {"room_version": "10"}, sender="@boss:green.test")
LEVELS = state("m.room.power_levels", {"users": {"@mod:green.test": 50}})


@pytest.mark.parametrize(
    ("sender", "counts"), [("@mod:green.test", True), ("@ann:green.test", False)]
)
def test_only_who_looks_after_a_room_orders(sender: str, counts: bool) -> None:
    said = event(text("!mute @ada 1h"), sender=sender)
    found = harvested(
        joined(state={"events": [CREATE, LEVELS]}, timeline={"events": [said]}), inside="!room"
    )
    assert [call.command for call in found.calls] == (["mute"] if counts else [])
    (item,) = found.batch.rooms[0].items
    assert isinstance(item, Remark) is counts


def test_without_the_rooms_state_nobody_orders() -> None:
    said = event(text("!mute @ada 1h"), sender="@mod:green.test")
    assert harvested(joined(timeline={"events": [said]})).calls == []


def test_what_a_bridges_bot_says_is_never_answered() -> None:
    bridge = {**state("m.bridge", {"bridgebot": "@telegram:green.test"}), "state_key": "telegram"}
    bot, person = (
        event(text("hello"), sender=sender, event_id=f"${n}")
        for n, sender in enumerate(("@telegram:green.test", "@telegram_ann:green.test"))
    )
    found = harvested(joined(state={"events": [bridge]}, timeline={"events": [bot, person]}))
    kinds = [type(item).__name__ for item in found.batch.rooms[0].items]
    assert kinds == ["Remark", "Incoming"]
    assert found.batch.rooms[0].items[0].incoming.author.kind == "bot"  # type: ignore[union-attr]
