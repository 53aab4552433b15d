"""Whom a message is meant for, and what an agent does about it: the rules alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentapp.engine.rules import deciding
from agentapp.engine.rules.addressing import Meant, meant_for
from agentapp.engine.rules.views import Action, Line, Mind, Place, Relevance, View
from agentapp.identity import limits
from agentapp.turns.rules import Spoken

MIRA, BO = 1, 2
LIMITS = {name: limits.effective(name) for name in limits.HOST_DEFAULTS}
MIND = Mind(
    id=MIRA,
    name="Mira",
    status="live",
    membership="active",
    capabilities=frozenset({"message", "reaction"}),
    interests=("tea", "old maps"),
    limits=LIMITS,
)
PLACE = Place(kind="room", dial="asked", agents={MIRA: "Mira", BO: "Bo"}, people=frozenset({"Ben"}))
JOINS = replace(PLACE, dial="joins")


def line(text: str = "Hello.", *, id: int = 1, **changes: object) -> Line:
    values: dict[str, object] = {
        "id": id,
        "author_id": 10,
        "author_name": "Ana",
        "author_kind": "human",
        "text": text,
        "person_id": 100,
    }
    return Line(**values | changes)


def by_agent(text: str = "Hello.", *, id: int = 1, **changes: object) -> Line:
    return line(
        text,
        id=id,
        author_id=20,
        author_name="Bo",
        author_kind="agent",
        author_agent=BO,
        person_id=None,
        **changes,
    )


def view(*lines: Line, **changes: object) -> View:
    values: dict[str, object] = {"mind": MIND, "place": PLACE, "lines": lines}
    return View(**values | changes)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (line("@Mira hello", mentioned_agents=frozenset({MIRA})), Meant.ME),
        (line("Mira, hello"), Meant.ME),
        (line("hey mira what is new"), Meant.ME),
        (line("That is right.", reply_to_agent=MIRA), Meant.ME),
        (line("@Bo hello", mentioned_agents=frozenset({BO})), Meant.OTHER),
        (line("@Ben hello", mentions_others=True), Meant.OTHER),
        (line("Bo, hello"), Meant.OTHER),
        (line("Ben, hello"), Meant.OTHER),
        (line("That is right.", reply_to_agent=BO), Meant.OTHER),
        (line("That is right.", replies_to_other=True), Meant.OTHER),
        (line("Hello, everybody."), Meant.NOBODY),
        (line("I like Mira."), Meant.NOBODY),
        (line("Bold of you."), Meant.NOBODY),
        # A name outweighs the message that is answered.
        (
            line("@Bo is that so?", reply_to_agent=MIRA, mentioned_agents=frozenset({BO})),
            Meant.OTHER,
        ),
        (line("Both of you!", mentioned_agents=frozenset({MIRA, BO})), Meant.ME),
    ],
)
def test_whom_it_is_meant_for(said: Line, meant: Meant) -> None:
    assert meant_for(said, mind=MIND, place=PLACE) is meant


def test_in_a_direct_room_every_human_means_the_agent() -> None:
    direct = replace(PLACE, kind="direct")
    assert meant_for(line("Bo is nice."), mind=MIND, place=direct) is Meant.ME
    assert meant_for(by_agent(), mind=MIND, place=direct) is Meant.NOBODY


def decided(*lines: Line, **changes: object) -> deciding.Decision:
    decision = deciding.decide(view(*lines, **changes))
    assert decision is not None
    return decision


ASKED = line("Mira, hello")


def test_who_is_asked_answers() -> None:
    decision = decided(ASKED)
    assert (decision.action, decision.addressed, decision.covers) == (Action.RESPOND, True, (1,))
    assert "called Mira by name" in decision.reasons[0].words


def test_what_is_meant_for_another_is_let_pass() -> None:
    decision = decided(line("Bo, hello"))
    assert (decision.action, decision.code) == (Action.IGNORE, "addressed_elsewhere")


def test_nothing_said_is_no_decision() -> None:
    assert deciding.decide(view()) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hold": "kill_switch"}, "kill_switch"),
        ({"hold": "suspended"}, "suspended"),
        ({"hold": "muted"}, "muted"),
        ({"membership": ""}, "membership_none"),
        ({"membership": "quarantined"}, "membership_quarantined"),
        ({"membership": "muted"}, "membership_muted"),
        ({"membership": "inactive"}, "membership_inactive"),
        ({"status": "paused"}, "agent_paused"),
        ({"status": "archived"}, "agent_archived"),
        ({"capabilities": frozenset()}, "may_not_write"),
    ],
)
def test_who_is_held_stays_silent_and_knows_why(changes: dict[str, object], code: str) -> None:
    decision = decided(ASKED, mind=replace(MIND, **changes))
    assert (decision.action, decision.code, decision.addressed) == (Action.IGNORE, code, True)
    assert decision.reasons[0].words


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (replace(PLACE, is_open=False), "room_closed"),
        (replace(PLACE, dial="silent"), "room_silent"),
    ],
)
def test_closed_and_silent_rooms_stay_silent(place: Place, code: str) -> None:
    assert decided(ASKED, place=place).code == code


@pytest.mark.parametrize(
    ("spoken", "code"),
    [
        (Spoken(room_10min=30), "room_cap"),
        (Spoken(to_person={(MIRA, 100): (10, 10)}), "person_cap"),
        (Spoken(to_person={(MIRA, 100): (0, 60)}), "person_cap"),
        (Spoken(without_human=20), "no_human"),
    ],
)
def test_at_a_cap_even_who_is_asked_is_silent(spoken: Spoken, code: str) -> None:
    decision = decided(ASKED, spoken=spoken)
    assert decision.code == code
    assert "set by the host" in decision.reasons[0].words


@pytest.mark.parametrize(
    "spoken",
    [
        Spoken(room_10min=29),
        Spoken(to_person={(MIRA, 100): (9, 59)}),
        Spoken(to_person={(MIRA, 999): (99, 99), (BO, 100): (99, 99)}),
        Spoken(without_human=19),
    ],
)
def test_below_the_caps_who_is_asked_answers(spoken: Spoken) -> None:
    assert decided(ASKED, spoken=spoken).action is Action.RESPOND


def test_caps_come_before_whom_it_was_meant_for() -> None:
    assert decided(line("Bo, hello"), spoken=Spoken(room_10min=30)).code == "room_cap"


def test_a_cap_names_the_layer_that_set_it() -> None:
    mine = {**LIMITS, "room_turns_10min": limits.Limit(2, "room")}
    decision = decided(ASKED, mind=replace(MIND, limits=mine), spoken=Spoken(room_10min=2))
    assert "limit 2, set by the room" in decision.reasons[0].words


def test_agents_stop_answering_agents_after_five_in_a_row() -> None:
    said = by_agent("Mira, and you?")
    assert decided(said, agent_run=4).action is Action.RESPOND
    assert decided(said, agent_run=5).code == "agent_chain"
    assert decided(said, spoken=Spoken(answers_without_human=5)).code == "agent_chain"
    assert decided(ASKED, spoken=Spoken(answers_without_human=5)).action is Action.RESPOND


def test_one_decision_covers_everything_one_person_asked() -> None:
    decision = decided(
        line("Mira, one", id=1), line("by the way", id=2), line("Mira, two", id=3), line("ok", id=4)
    )
    assert (decision.trigger.id, decision.covers, decision.through) == (3, (1, 3), 0)


def test_a_second_asker_gets_an_answer_of_their_own() -> None:
    decision = decided(
        line("Mira, one", id=1),
        line("Mira, two", id=2),
        line("Mira, and me?", id=5, author_id=11, person_id=101),
        line("Mira, three", id=6),
    )
    assert (decision.trigger.id, decision.covers, decision.through) == (2, (1, 2), 4)


def test_a_silenced_first_asker_does_not_silence_the_second() -> None:
    capped = Spoken(to_person={(MIRA, 100): (10, 10)})
    decision = decided(
        line("Mira, one", id=1),
        line("Mira, me too", id=2, author_id=11, person_id=101),
        spoken=capped,
    )
    assert (decision.code, decision.through) == ("person_cap", 1)


@pytest.mark.parametrize(
    ("text", "emoji"),
    [("Thanks, Mira!", "❤️"), ("Mira, thank you so much", "❤️"), ("Mira: good night", "👋")],
)
def test_a_mere_gesture_gets_an_emoji(text: str, emoji: str) -> None:
    decision = decided(line(text, mentioned_agents=frozenset({MIRA})))
    assert (decision.action, decision.emoji) == (Action.REACT, emoji)


def test_thanks_with_a_question_get_an_answer() -> None:
    assert decided(line("Mira, thanks, and what about tea?")).action is Action.RESPOND


def test_an_agent_that_reacted_enough_uses_words() -> None:
    spoken = Spoken(reactions_hour={MIRA: 10})
    assert decided(line("Mira, thanks!"), spoken=spoken).action is Action.RESPOND


def test_where_agents_answer_when_asked_others_talk_is_only_noticed() -> None:
    assert decided(line("Nice weather.")).code == "not_asked"
    decision = decided(line("I made some tea."))
    assert decision.action is Action.NOTICE
    assert "tea" in decision.reasons[0].words


def test_where_agents_join_in_relevance_decides() -> None:
    said = line("What a morning.")
    assert decided(said, place=JOINS).wants_relevance

    def near(similarity: float) -> deciding.Decision:
        return decided(said, place=JOINS, relevance={1: Relevance(similarity=similarity)})

    assert near(0.9).action is Action.RESPOND
    assert near(0.9).claims == (1,)
    assert not near(0.9).addressed
    assert near(0.35).action is Action.NOTICE
    assert near(0.1).action is Action.IGNORE


def test_a_keyword_needs_no_comparison() -> None:
    decision = decided(line("Any tea left?"), place=JOINS)
    assert (decision.action, decision.wants_relevance) == (Action.RESPOND, False)
    assert decided(line("A teapot broke."), place=JOINS).wants_relevance


@pytest.mark.parametrize(
    ("spoken", "is_stopped"),
    [
        (Spoken(unaddressed_hour={MIRA: 2}), False),
        (Spoken(unaddressed_hour={MIRA: 3}), True),
        (Spoken(unaddressed_window={MIRA: 4}), False),
        (Spoken(unaddressed_window={MIRA: 5}), True),
        (Spoken(unaddressed_hour={BO: 9}, unaddressed_window={BO: 9}), False),
    ],
)
def test_joining_in_has_its_own_caps(spoken: Spoken, is_stopped: bool) -> None:
    decision = decided(line("Any tea left?"), place=JOINS, spoken=spoken)
    assert decision.action is (Action.NOTICE if is_stopped else Action.RESPOND)


def test_agents_do_not_join_in_on_agents() -> None:
    assert decided(by_agent("Any tea left?"), place=JOINS).code == "agent_to_nobody"


def test_without_money_everybody_is_silent_and_with_little_only_who_is_asked_answers() -> None:
    asked, joined = decided(ASKED), decided(line("Any tea left?"), place=JOINS)
    assert deciding.without_money(asked).code == "budget_exhausted"
    assert deciding.while_money_is_low(asked) is asked
    assert deciding.while_money_is_low(joined).code == "budget_low"


@pytest.mark.parametrize(
    ("minutes", "newer", "code"),
    [(30, 30, "addressed"), (31, 0, "too_late"), (0, 31, "too_late"), (600, 100, "too_late")],
)
def test_only_what_is_fresh_is_answered(minutes: float, newer: int, code: str) -> None:
    later = [line("Nice.", id=n, author_id=11, person_id=101) for n in range(2, 2 + newer)]
    decision = deciding.decide(
        view(line("@Mira?", mentioned_agents=frozenset({MIRA}), minutes_old=minutes), *later)
    )
    assert decision is not None
    assert (decision.code, decision.addressed) == (code, True)
    assert (decision.action is Action.RESPOND) == (code == "addressed")


def test_of_a_burst_the_fresh_part_is_answered() -> None:
    old = line("@Mira?", id=1, mentioned_agents=frozenset({MIRA}), minutes_old=45)
    new = line("@Mira!", id=2, mentioned_agents=frozenset({MIRA}), minutes_old=2)
    decision = deciding.decide(view(old, new))
    assert decision is not None
    assert (decision.trigger.id, decision.covers) == (2, (2,))


def test_an_agent_joins_no_talk_of_an_hour_ago() -> None:
    decision = deciding.decide(view(line("Who likes tea?", minutes_old=61), place=JOINS))
    assert decision is not None
    assert (decision.action, decision.code) == (Action.IGNORE, "too_late")
    assert "61 minutes" in decision.reasons[0].words
