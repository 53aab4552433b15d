"""What changes of a message come to, in whatever order they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agentapp.conversation import rules
from agentapp.conversation.rules import Said, Shown

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 5).map(lambda n: START + timedelta(seconds=n))
Change = tuple[str, str, datetime]
TEXTS = st.sampled_from(["a", "b", "c"])

EDIT = st.tuples(st.just("edit"), TEXTS, MOMENTS)
DELETE = st.tuples(st.just("delete"), st.just(""), MOMENTS)
ARRIVAL = st.just(("arrive", "original", START))
CHANGES = st.lists(st.one_of(EDIT, DELETE), max_size=6)


def applied(changes: list[Change]) -> Said:
    def step(said: Said, change: Change) -> Said:
        kind, text, at = change
        if kind == "arrive":
            return rules.arrived(said, text=text)
        if kind == "edit":
            return rules.edited(said, text=text, at=at)
        return rules.deleted(said, at=at)

    return reduce(step, changes, Said())


@given(st.lists(st.one_of(EDIT, DELETE, ARRIVAL), max_size=7), st.randoms())
def test_the_order_and_number_of_changes_does_not_matter(
    changes: list[Change], rng: Random
) -> None:
    shuffled = [*changes, *changes[:3]]
    rng.shuffle(shuffled)
    assert applied(shuffled) == applied(changes)


@given(CHANGES)
def test_a_deleted_message_has_no_words_left(changes: list[Change]) -> None:
    said = applied([*changes, ("delete", "", START), ("arrive", "original", START)])
    assert said.text == ""


@given(st.lists(EDIT, min_size=1, max_size=6))
def test_the_last_edit_by_platform_time_wins(edits: list[Change]) -> None:
    latest = max(at for _, _, at in edits)
    said = applied([*edits, ("arrive", "original", START)])
    assert said.edited_at == latest
    assert said.text in {text for _, text, at in edits if at == latest}


@given(st.lists(st.tuples(st.booleans(), MOMENTS), min_size=1, max_size=6), st.randoms())
def test_reactions_end_where_the_latest_change_left_them(
    changes: list[tuple[bool, datetime]], rng: Random
) -> None:
    def shown(order: list[tuple[bool, datetime]]) -> Shown:
        state = Shown(False, START - timedelta(days=1))
        for is_present, at in order:
            state = rules.reacted(state, Shown(is_present, at))
        return state

    shuffled = [*changes, *changes]
    rng.shuffle(shuffled)
    assert shown(shuffled) == shown(changes)
    latest = max(at for _, at in changes)
    still = {is_present for is_present, at in changes if at == latest}
    assert shown(changes).is_present == (still == {True})


def test_an_id_that_cannot_be_stored_is_named_by_its_bytes() -> None:
    for bad in ("", "a\0b", "\ud800", "x" * 256, " padded "):
        stored = rules.stored_id(bad)
        assert stored.startswith("sha256:")
        assert rules.stored_id(stored) == stored
    assert rules.stored_id("\ud800") != rules.stored_id("\ud801")
    assert rules.stored_id("$event:example.org") == "$event:example.org"
