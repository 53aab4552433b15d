"""A draft appears live; the owner edits, sends, takes back and sends again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from agentapp.conversation.models import Message
from agentapp.identity.models import Room
from tests.fakes.model_server import ModelServer
from tests.flows.conftest import Opener
from tests.flows.stage import Stage, make_stage

WAITS = ".card:not(.card-is-writing)"  # what is still being written goes as it comes
PROPOSED = "Shortbread, I think."
EDITED = "Shortbread. No doubt about it."


@pytest.fixture
def careful(model: ModelServer, running_host: object) -> Stage:
    """A room in which every reply waits for the owner."""
    model.reply = lambda body: PROPOSED
    return make_stage(model, reply_mode="approve")


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe out."""
    page.evaluate("window.wasNeverReloaded = true")


def was_never_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.wasNeverReloaded === true"))


def test_a_draft_appears_is_edited_sent_taken_back_sent_again_and_stands_in_the_room(
    careful: Stage, open_browser: Opener
) -> None:
    room = open_browser(f"/rooms/{careful.room.pk}/", user=careful.member)
    page = open_browser("/approvals/", user=careful.owner)
    mark(page)
    careful.say("Mira, what goes with tea?")

    card = page.locator(WAITS, has_text=PROPOSED)
    expect(card).to_be_visible()
    card.get_by_role("link", name="Edit").click()
    page.get_by_label("Words to send").fill(EDITED)
    page.get_by_role("button", name="Keep for later").click()
    card = page.locator(".card", has_text=EDITED)
    card.get_by_role("button", name="Send", exact=True).click()
    card.get_by_role("button", name="Undo").click()
    expect(card.get_by_role("button", name="Send", exact=True)).to_be_visible()
    assert not Message.objects.filter(room=careful.room, text=EDITED).exists()

    card.get_by_role("button", name="Send", exact=True).click()

    expect(room.locator("#messages")).to_contain_text(EDITED)
    assert was_never_reloaded(page)
    assert Message.objects.filter(room=careful.room, text=EDITED).count() == 1
    assert not Message.objects.filter(room=careful.room, text=PROPOSED).exists()


def test_what_was_taken_back_in_time_never_arrives(careful: Stage, open_browser: Opener) -> None:
    page = open_browser("/approvals/", user=careful.owner)
    careful.say("Mira, what goes with tea?")
    card = page.locator(WAITS, has_text=PROPOSED)
    card.get_by_role("button", name="Send", exact=True).click()
    card.get_by_role("button", name="Undo").click()

    page.wait_for_timeout(7_000)

    expect(card.get_by_role("button", name="Send", exact=True)).to_be_visible()
    assert not Message.objects.filter(room=careful.room, text=PROPOSED).exists()


def test_on_a_phone_a_thumb_is_enough(careful: Stage, open_browser: Opener) -> None:
    page = open_browser("/approvals/", user=careful.owner, phone=True)
    careful.say("Mira, what goes with tea?")
    send = page.locator(WAITS, has_text=PROPOSED).get_by_role("button", name="Send", exact=True)
    expect(send).to_be_visible()
    box = send.bounding_box()
    assert box is not None
    assert box["height"] >= 44

    send.tap()

    expect(page.locator(".card", has_text="In Lounge")).to_be_visible()


def test_a_press_is_not_lost_when_its_card_is_drawn_anew(
    careful: Stage, open_browser: Opener
) -> None:
    page = open_browser("/approvals/", user=careful.owner)
    careful.say("Mira, what goes with tea?")
    card = page.locator(WAITS, has_text=PROPOSED)
    expect(card).to_contain_text("Lounge")
    card.get_by_role("button", name="Send", exact=True).hover()
    page.mouse.down()

    Room.objects.filter(pk=careful.room.pk).update(name="Parlour")
    with page.expect_response(lambda answer: "/approvals/" in answer.url) as news:
        page.evaluate("htmx.trigger('#cards-frame', 'live')")
    news.value.finished()
    page.wait_for_timeout(100)  # it would be drawn by now
    page.mouse.up()

    expect(
        page.locator(".card", has_text="Parlour").get_by_role("button", name="Undo")
    ).to_be_visible()
