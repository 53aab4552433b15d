"""Suspending and pausing stop an agent in the middle of what it does."""

from __future__ import annotations

from playwright.sync_api import expect

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.turns.models import Turn
from tests.fakes.model_server import Behaviour, ModelServer
from tests.flows.conftest import KIND, Opener
from tests.flows.stage import Stage

LONG = "Once upon a time " * 60
WORD_EVERY_SECONDS = 0.1  # so the answer takes half a minute
LONG_ENOUGH_MS = 10_000


def agents_words(stage: Stage) -> list[str]:
    own = Message.objects.filter(room=stage.room, author__agent=stage.agent)
    return list(own.values_list("text", flat=True))


def test_suspending_while_an_answer_is_being_written_lets_nothing_appear(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.always(Behaviour(text=LONG, gap=WORD_EVERY_SECONDS))
    room = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    page = open_browser(f"/agents/{stage.agent.pk}/", user=stage.owner)
    asked = len(model.completions())
    stage.say("Mira, tell me a long story.")
    model.wait_for_requests(asked + 1, seconds=40)

    page.locator("summary", has_text="Suspend").click()
    page.get_by_role("button", name="Suspend Mira").click()

    expect(page.locator("#moderation + *, .notice-stop").first).to_contain_text("Suspended")
    model.wait_until_answered(seconds=20)
    room.wait_for_timeout(LONG_ENOUGH_MS)
    assert agents_words(stage) == []
    assert not Outbound.objects.filter(agent=stage.agent).exclude(state="withheld").exists()
    assert model.completions()[-1].was_cut_by_client
    turn = Turn.objects.get(agent=stage.agent, decision="respond")
    assert turn.outcome == "stopped"
    expect(room.locator("#messages")).not_to_contain_text("Once upon a time")


def test_after_lifting_it_answers_again_but_not_what_was_said_meanwhile(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: "Here I am."
    page = open_browser(f"/agents/{stage.agent.pk}/", user=stage.owner)
    page.locator("summary", has_text="Suspend").click()
    page.get_by_role("button", name="Suspend Mira").click()
    lift = page.get_by_role("button", name="Lift the suspension")
    expect(lift).to_be_visible()
    stage.say("Mira, can you hear me?")
    lift.click()
    expect(page.locator("summary", has_text="Suspend")).to_be_visible()
    stage.say("Mira, and now?")

    room = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    expect(room.locator("#messages")).to_contain_text("Here I am.")
    assert agents_words(stage) == ["Here I am."]
    answered = Draft.objects.get(agent=stage.agent).turn
    assert answered is not None
    trigger = Message.objects.get(pk=answered.trigger_id)
    assert trigger.text == "Mira, and now?"


def test_pause_all_keeps_everything_in_and_shows_on_the_page(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    page = open_browser("/", user=stage.owner)
    page.get_by_role("button", name="Pause all").click()
    resume = page.get_by_role("button", name="Resume").first
    expect(resume).to_be_visible()
    stage.say("Mira, what goes with tea?")
    page.wait_for_timeout(LONG_ENOUGH_MS)
    assert agents_words(stage) == []

    resume.click()
    expect(page.get_by_role("button", name="Pause all")).to_be_visible()
    stage.say("Mira, and now?")

    room = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    expect(room.locator("#messages")).to_contain_text(KIND)
