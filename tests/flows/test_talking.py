"""A member writes, and an agent answers."""

from __future__ import annotations

from playwright.sync_api import expect

from agentapp.identity.services.rooms import make_room_link
from tests.fakes.model_server import ModelServer
from tests.flows.conftest import Opener
from tests.flows.stage import Stage

ANSWER = "Shortbread, always shortbread."


def test_a_member_writes_and_the_agent_answers_without_a_reload(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: ANSWER
    watching = open_browser(f"/rooms/{stage.room.pk}/", user=stage.owner)
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)

    page.get_by_label("Message to Lounge").fill("Mira, what goes with tea?")
    page.keyboard.press("Enter")

    expect(page.locator("#messages")).to_contain_text("Mira, what goes with tea?")
    expect(page.locator("#messages")).to_contain_text(ANSWER)
    expect(watching.locator("#messages")).to_contain_text(ANSWER)
    expect(page.get_by_label("Message to Lounge")).to_have_value("")


def test_a_stranger_comes_in_by_a_link_and_is_answered(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: ANSWER
    token = make_room_link(room_id=stage.room.pk, by=stage.owner)
    page = open_browser(f"/join/{token}/")

    expect(page.locator("body")).to_contain_text("Mira")
    page.get_by_role("textbox").fill("Ana")
    page.get_by_role("button", name="Come in").click()
    page.get_by_label("Message to Lounge").fill("Hello Mira, what goes with tea?")
    page.keyboard.press("Enter")

    expect(page.locator("#messages")).to_contain_text(ANSWER)


def test_why_shows_what_the_owner_may_know(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: ANSWER
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.owner)
    stage.say("Mira, what goes with tea?")

    answer = page.locator(".message", has_text=ANSWER)
    answer.hover()
    answer.get_by_role("link", name="Why?").first.click()

    expect(page.locator("#panel")).to_be_visible()
    expect(page.locator("#panel")).to_contain_text("Sam")
