"""From a fresh login link to a draft that waits, without a key."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from agentapp.conversation.models import Message
from agentapp.demo.models import DemoRun
from agentapp.drafts.models import Draft
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, Workspace
from agentapp.llm.models import LLMCall
from tests.flows.conftest import Opener
from tests.flows.stage import make_user

FIRST_MINUTE_SECONDS = 60


def test_a_draft_waits_within_a_minute_of_the_links_opening_and_can_be_sent(
    running_host: object, open_browser: Opener
) -> None:
    user = make_user("Nora")
    page = open_browser(f"/start/{identity.make_login_link(user=user)}/")
    opened = time.monotonic()

    page.get_by_role("button", name="Come in").click()
    waits = page.locator("#home-waits", has_text="Juno")
    expect(waits).to_be_visible(timeout=FIRST_MINUTE_SECONDS * 1000)
    assert time.monotonic() - opened < FIRST_MINUTE_SECONDS

    expect(page.locator("#demo-messages")).to_contain_text("Juno, kettle first or toast first?")
    page.goto("/approvals/")
    card = page.locator(".card", has_text="Juno").first
    words = card.locator(".prose").first.inner_text()
    card.get_by_role("button", name="Send", exact=True).click()
    page.goto("/")
    expect(page.locator("#demo-messages")).to_contain_text(words)


def test_the_demo_talks_answers_its_guest_and_goes_with_one_press(
    running_host: object, open_browser: Opener
) -> None:
    user = make_user("Nora")
    page = open_browser(f"/start/{identity.make_login_link(user=user)}/")
    page.get_by_role("button", name="Come in").click()
    run = DemoRun.objects.get(user=user)
    page.get_by_role("link", name="Open the room").click()
    box = page.get_by_label("Message to The kitchen table")

    box.fill("Mira, my boat is called Halcyon.")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("your boat is called Halcyon")
    box.fill("Mira, what is my boat called?")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("our boat is called Halcyon.")

    page.goto("/")
    page.get_by_role("button", name="Remove demo").click()
    expect(page.locator("#demo")).to_have_count(0)
    assert not Workspace.objects.filter(pk=run.workspace_id).exists()
    assert not Agent.objects.filter(workspace_id=run.workspace_id).exists()
    assert not Message.objects.filter(workspace_id=run.workspace_id).exists()
    assert not Draft.objects.filter(workspace_id=run.workspace_id).exists()
    assert not LLMCall.objects.filter(workspace_id=run.workspace_id).exists()


def test_a_login_link_works_once(running_host: object, open_browser: Opener) -> None:
    user = make_user("Nora")
    link = f"/start/{identity.make_login_link(user=user)}/"
    looked_at = open_browser(link)
    expect(looked_at.get_by_role("button", name="Come in")).to_be_visible()
    used = open_browser(link)
    used.get_by_role("button", name="Come in").click()
    expect(used.locator("#demo")).to_be_visible()

    looked_at.get_by_role("button", name="Come in").click()

    expect(looked_at.locator("body")).to_contain_text("used before")
