"""A member asks with commands: by keyboard, and the answer is for nobody else's eyes."""

from __future__ import annotations

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from agentapp.commands import links
from agentapp.commands.models import CommandCall
from agentapp.conversation.models import Message
from agentapp.identity.services.people import ensure_local_identity
from tests.fakes.model_server import ModelServer
from tests.flows.conftest import Opener
from tests.flows.stage import Stage
from tests.flows.test_every_page import faults, sticks_out, violations


def composer(page: Page) -> Page:
    return page.get_by_label("Message to Lounge")  # type: ignore[return-value]


def test_a_slash_lists_commands_and_a_keyboard_is_enough(
    stage: Stage, open_browser: Opener
) -> None:
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member, is_examined=True)
    field, listed = composer(page), page.get_by_role("listbox", name="Commands")
    expect(listed).to_be_hidden()

    field.press_sequentially("/")
    expect(listed).to_be_visible()
    expect(page.get_by_role("option", name="/mute")).to_have_count(0)  # for moderators
    expect(page.locator("#commands-said")).to_contain_text("commands")
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option", selected=True)).to_contain_text("/why")
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(field).to_have_value("/")

    field.press_sequentially("qu")
    expect(page.get_by_role("option", selected=True)).to_contain_text("/quiet")
    page.keyboard.press("Enter")
    expect(field).to_have_value("/quiet ")
    expect(listed).to_be_hidden()
    field.press_sequentially("2h")
    page.keyboard.press("Enter")

    expect(page.locator(".aside")).to_contain_text("No agent answers or mentions you here for 2")
    expect(field).to_have_value("")
    assert not Message.objects.filter(room=stage.room).exists()


def test_a_private_answer_is_seen_by_one_member_live_until_dismissed(
    stage: Stage, open_browser: Opener
) -> None:
    address = f"/rooms/{stage.room.pk}/"
    page, phone = (
        open_browser(address, user=stage.member, phone=phone, is_examined=True)
        for phone in (False, True)
    )
    others = open_browser(address, user=stage.owner)
    composer(page).fill("/help")
    page.keyboard.press("Enter")

    for each in (page, phone):
        expect(each.locator(".aside")).to_contain_text("Mira is run by Olga: programs, not people")
    assert faults(page) == []
    assert sticks_out(phone) == 0
    page.reload()
    expect(page.locator(".aside")).to_contain_text("Only you see this")
    expect(others.locator(".aside")).to_have_count(0)
    others.reload()
    expect(others.locator(".aside")).to_have_count(0)

    page.get_by_role("button", name="Dismiss").click()
    for each in (page, phone):
        expect(each.locator(".aside")).to_have_count(0)
    page.reload()
    expect(page.locator(".aside")).to_have_count(0)


def test_what_cannot_be_done_is_said_and_stays_in_the_field(
    stage: Stage, open_browser: Opener
) -> None:
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    composer(page).fill("/why")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("not written by one of the agents here")
    expect(composer(page)).to_have_value("/why")


def test_asking_with_a_command_is_answered_in_the_room(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: "Shortbread, always shortbread."
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    composer(page).fill("/ask What goes with tea?")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("What goes with tea?")
    expect(page.locator("#messages")).to_contain_text("Shortbread, always shortbread.")

    answer = page.locator(".message", has_text="Shortbread")
    answer.hover()
    answer.locator("summary").click()
    answer.get_by_role("button", name="Why?").click()
    expect(page.locator(".aside")).to_contain_text("Mira wrote this.")


@pytest.fixture
def link(stage: Stage) -> str:
    """A link to a private answer, as it is said in a room on another platform."""
    with transaction.atomic():
        row = CommandCall.objects.create(
            workspace=stage.workspace,
            key="test",
            command="why",
            handle=ensure_local_identity(user=stage.member, workspace=stage.workspace),
            words="Because you asked.",
        )
        said = links.hand_over(row)
        row.save()
    (address,) = (word for word in said.split() if "/answer/" in word)
    return address[address.index("/answer/") :]


def test_a_link_opens_once_after_one_press_for_whoever_holds_it(
    link: str, open_browser: Opener
) -> None:
    page = open_browser(link, is_examined=True)
    page.reload()
    assert faults(page) == []
    expect(page.locator("body")).not_to_contain_text("Because")
    page.get_by_role("button", name="Show it").click()
    expect(page.locator("body")).to_contain_text("Because you asked.")
    assert faults(page) == []
    assert not CommandCall.objects.filter(key="test").exclude(words="").exists()

    late = open_browser(link, is_examined=True)
    expect(late.locator("body")).to_contain_text("This answer is gone")
    assert faults(late) == []
