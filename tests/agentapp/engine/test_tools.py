"""Thoughts that use tools: what they may do, what stops them, and what happens twice only once."""

from __future__ import annotations

import json

import pytest

from agentapp.drafts.models import Draft
from agentapp.engine import act
from agentapp.engine.assemble import assemble
from agentapp.engine.think import think
from agentapp.events.models import Event
from agentapp.identity.models import Agent
from agentapp.intake.models import Lane
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.tools.models import ToolCall
from tests.agentapp.engine.stage import Stage
from tests.fakes.model_server import Behaviour

ABOUT_ME = "I teach chemistry in Graz."


def asks(live: Stage, name: str, **arguments: object) -> None:
    live.server.behave(Behaviour(asks=((name, json.dumps(arguments)),)))


def told(live: Stage) -> list[str]:
    """Return what the model was told by tools, in its last question."""
    messages = live.server.completions()[-1].body["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


def limit(agent: Agent, **limits: float) -> None:
    agent.limits = {**agent.limits, **limits}
    agent.save(update_fields=["limits"])


def test_what_a_person_told_is_found_again(live: Stage) -> None:
    live.say(f"@Bo {ABOUT_ME}")
    live.run()
    asks(live, "recall", about="what does he teach?")
    live.say("@Bo what do I do for a living?")
    live.run()
    (result,) = told(live)
    assert ABOUT_ME in result
    turn = live.turn(live.cast.bo)
    assert (turn.status, turn.steps) == ("done", 2)
    assert turn.cost_micros == sum(turn.calls.values_list("cost_micros", flat=True))
    assert ToolCall.objects.get().status == "done"
    assert Event.objects.get(type="tool.called").payload["tool"] == "recall"
    assert live.draft(live.cast.bo).text == "You said something kind."


def test_nobody_hears_through_a_tool_what_another_told_in_private(live: Stage) -> None:
    room = live.direct_room(live.cast.bo, live.cast.mallory)
    live.say(f"@Bo {ABOUT_ME}", by=live.cast.mallory, room_id=room.pk)
    live.run()
    assert Memory.objects.filter(text__contains="chemistry").exists()
    asks(live, "recall", about="who teaches chemistry in Graz?")
    live.say("@Bo who teaches chemistry in Graz?")
    live.run()
    assert told(live) == ["You remember nothing about that."]


def test_words_are_kept_only_as_their_writer_wrote_them(live: Stage) -> None:
    live.server.behave(
        Behaviour(
            asks=(
                ("remember", json.dumps({"words": "my exam is about crystals"})),
                ("remember", json.dumps({"words": "I am the owner of this house"})),
            )
        )
    )
    message = live.say("@Bo guess what, my exam is about crystals this year!")
    live.run()
    kept = Memory.objects.get(text="my exam is about crystals")
    assert (kept.source_message_id, kept.agent) == (message.pk, live.cast.bo)
    assert kept.person == live.cast.identity(live.cast.sam).person
    assert not Memory.objects.filter(text__contains="owner").exists()
    first, second = told(live)
    assert "will remember" in first
    assert "Nothing was kept" in second


def test_who_is_never_remembered_is_not_remembered_by_a_tool(live: Stage) -> None:
    person = live.cast.identity(live.cast.sam).person
    assert person is not None
    person.never_remember = True
    person.save(update_fields=["never_remember"])
    asks(live, "remember", words="my exam is about crystals")
    live.say("@Bo my exam is about crystals")
    live.run()
    assert not Memory.objects.exists()
    assert "Nothing was kept" in told(live)[0]


def test_an_emoji_is_a_draft_like_any_other(live: Stage) -> None:
    asks(live, "react", emoji="🎉")
    message = live.say("@Ada I passed my exam about crystals!")
    live.run()
    drafts = Draft.objects.filter(agent=live.cast.ada).order_by("kind")
    assert [(each.kind, each.status) for each in drafts] == [
        ("message", "pending"),
        ("reaction", "pending"),
    ]
    reaction = drafts[1]
    assert (reaction.emoji, reaction.target_id) == ("🎉", message.pk)
    assert live.publish() == 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("fly", "{}", "There is no tool 'fly' here."),
        ("recall", '{"about": ', "The arguments do not fit"),
        ("recall", '{"about": "x", "agent": 7}', "The arguments do not fit"),
        ("recall", '{"about": 7}', "The arguments do not fit"),
        ("recall", '["about"]', "The arguments do not fit"),
        ("react", '{"emoji": "no"}', "That is no emoji."),
        ("recall", '{"about": "a\\u0000\\ud800b"}', ""),
    ],
)
def test_what_cannot_be_done_is_said_and_the_talk_goes_on(
    live: Stage, name: str, arguments: str, said: str
) -> None:
    live.server.behave(Behaviour(asks=((name, arguments),)))
    live.say("@Bo hello")
    live.run()
    assert said in told(live)[0]
    assert live.draft(live.cast.bo).text == "You said something kind."


def test_a_tool_that_was_not_granted_is_neither_offered_nor_run(live: Stage) -> None:
    mute = live.another_agent("Cy", tools=["recall"], capabilities=["message"])
    asks(live, "remember", words="my exam is about crystals")
    live.say("@Cy guess what, my exam is about crystals this year!")
    live.run()
    offered = [each["function"]["name"] for each in live.server.completions()[0].body["tools"]]
    assert offered == ["recall"]
    assert told(live) == ["There is no tool 'remember' here."]
    assert not Memory.objects.filter(agent=mute, text="my exam is about crystals").exists()
    assert ToolCall.objects.get().status == "refused"


def test_an_agent_without_tools_is_told_that_it_can_only_talk(live: Stage) -> None:
    live.another_agent("Cy", tools=[])
    live.say("@Cy hello")
    live.run()
    body = live.server.completions()[0].body
    assert "tools" not in body
    assert "You can do nothing but talk here" in body["messages"][0]["content"]


def test_a_model_that_only_asks_is_stopped(live: Stage) -> None:
    limit(live.cast.bo, tool_steps=3)
    live.server.always(Behaviour(asks=(("recall", '{"about": "exams"}'),)))
    live.say("@Bo hello")
    live.run()
    assert len(live.server.completions()) == 3
    assert live.server.completions()[-1].body["tool_choice"] == "none"
    assert live.turn(live.cast.bo).outcome == "half_answer"
    assert ToolCall.objects.count() == 2


def test_work_that_is_taken_up_again_uses_no_tool_twice(live: Stage) -> None:
    asks(live, "react", emoji="🎉")
    live.say("@Ada I passed!")
    (begun,) = live.decide()
    prompt = assemble(turn=begun.turn)
    assert prompt is not None
    think(begun=begun, prompt=prompt)
    Lane.objects.update(lease_until=None)
    (again,) = live.decide()
    prompt = assemble(turn=again.turn)
    assert prompt is not None
    thought = think(begun=again, prompt=prompt)
    act.speak(begun=again, prompt=prompt, thought=thought)
    assert len(live.server.completions()) == 2
    assert LLMCall.objects.count() == 2
    assert ToolCall.objects.count() == Event.objects.filter(type="tool.called").count() == 1
    assert Draft.objects.filter(agent=live.cast.ada, kind="reaction").count() == 1
    assert thought.steps == 2
