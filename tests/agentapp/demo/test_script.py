from __future__ import annotations

from datetime import timedelta

from agentapp.demo import rules, script
from agentapp.llm.adapters.rehearsal.answering import DOES_NOT_KNOW, NOT_TOLD, answer
from agentapp.llm.adapters.rehearsal.scene import Said, Scene

BY_CODE = {resident.code: resident for resident in script.AGENTS}
REPLIES_PER_ROOM = 25  # in ten minutes; five of the thirty stay free for whoever looks on
REPLIES_PER_PERSON = 10
TEN_MINUTES = timedelta(minutes=10)


def rehearsed() -> list[tuple[script.Line, str]]:
    """Play the script once against the rehearsal model, with the last 20 messages as context."""
    talk: list[Said] = []
    answers: list[tuple[script.Line, str]] = []
    for line in script.LINES:
        who = script.MEMBERS[line.who]
        if line.to:
            resident = BY_CODE[line.to]
            told = tuple(said.text for said in talk if said.author == who)
            scene = Scene(
                name=resident.template.name,
                interests=("stories",),
                memories=told,
                talk=tuple(talk[-20:]),
                asker=who,
                question=line.text,
            )
            answers.append((line, answer(scene)))
        talk.append(Said(who, line.text))
    return answers


def played() -> list[tuple[timedelta, script.Line]]:
    """Return when each line is said if somebody watches all the time."""
    at, said = timedelta(0), []
    for n in range(rules.MOST_MESSAGES):
        count = len(script.LINES)
        line = script.LINES[rules.line_index(n, count=count, loop_from=script.LOOP_FROM)]
        previous = said[-1][1] if said else None
        if previous is not None:
            at += rules.pause_before(text=line.text, n=n, after_question=bool(previous.to))
        said.append((at, line))
    return said


def test_an_addressed_line_names_its_agent() -> None:
    for line in script.LINES:
        if line.to:
            assert BY_CODE[line.to].template.name in line.text, line.text


def test_every_line_is_said_by_a_member_and_every_member_speaks() -> None:
    assert {line.who for line in script.LINES} == set(script.MEMBERS)


def test_the_script_is_long_enough_and_the_loop_leaves_no_gap() -> None:
    assert len(script.LINES) >= 60
    assert 0 < script.LOOP_FROM < len(script.LINES) - 20


def test_the_agent_whose_words_wait_is_addressed_within_seconds() -> None:
    waiting = {resident.code for resident in script.AGENTS if resident.waits}
    first = next(at for at, line in played() if line.to in waiting)
    assert first <= timedelta(seconds=5)


def test_the_pace_stays_below_the_limits_of_a_room_and_of_a_person() -> None:
    asked = [(at, line.who) for at, line in played() if line.to]
    for start, _ in asked:
        window = [who for at, who in asked if start <= at < start + TEN_MINUTES]
        assert len(window) <= REPLIES_PER_ROOM
        assert max(window.count(who) for who in window) <= REPLIES_PER_PERSON


def test_facts_told_early_are_recalled_later() -> None:
    answers = {line.text: text for line, text in rehearsed()}
    assert "Thursday" in answers["Mira, when is my exam?"]
    assert "Miso" in answers["Otto, what is my cat called?"]
    assert "Sunday" in answers["Mira, when is my sister coming?"]


def test_nobody_hears_of_another_persons_cat() -> None:
    answers = {line.text: text for line, text in rehearsed()}
    assert "Miso" not in answers["Mira, what is Ben's cat called?"]


def test_the_rehearsal_model_has_an_answer_to_every_scripted_question() -> None:
    helpless = {text.split("{", maxsplit=1)[0] for text in (*DOES_NOT_KNOW, *NOT_TOLD)}
    for line, text in rehearsed():
        assert not any(text.startswith(start) for start in helpless if start), (line.text, text)
