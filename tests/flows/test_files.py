"""A member attaches files in a web room; an owner reads a file before it goes out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from agentapp.conversation.models import Attachment, Message
from tests.fakes.model_server import Behaviour, ModelServer
from tests.flows.conftest import Opener
from tests.flows.stage import Stage, make_stage

DROP = """([name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type: "text/plain" }));
  const fire = (kind) => document.querySelector(".room-talk").dispatchEvent(
    new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
  fire("dragover");
  fire("drop");
}"""
PASTE = """([name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type: "text/plain" }));
  document.getElementById("say").dispatchEvent(
    new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: files }));
}"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Our cat.png"
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((900, 600)).save(out, "PNG")
    path.write_bytes(out.getvalue())
    return path


def clip(page: Page, *paths: Path) -> None:
    page.get_by_label("Attach files").set_input_files([str(path) for path in paths])


@pytest.mark.parametrize("phone", [False, True])
def test_a_member_attaches_files(
    stage: Stage, open_browser: Opener, photo: Path, *, phone: bool
) -> None:
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member, phone=phone)
    watching = open_browser(f"/rooms/{stage.room.pk}/", user=stage.owner)
    clip(page, photo)
    page.evaluate(DROP, ["dropped.txt", "a line"])
    page.evaluate(PASTE, ["pasted.txt", "another line"])
    listed = page.locator("#composer-files li")
    expect(listed).to_have_count(3)
    page.get_by_role("button", name="Remove dropped.txt").click()
    expect(listed).to_have_count(2)
    page.get_by_label("Message to Lounge").press("Enter")  # files alone are a message

    picture = page.locator(".message .picture img")
    expect(picture).to_be_visible()
    expect(watching.locator(".message .picture img")).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 900)
    expect(page.locator(".message .file")).to_contain_text("pasted.txt")
    expect(listed).to_have_count(0)
    expect(page.locator("#composer-progress")).to_be_hidden()
    with page.expect_download() as download:
        page.locator(".message .file").click()
    assert Path(download.value.path()).read_text() == "another line"
    assert Attachment.objects.filter(message__room=stage.room).count() == 2


def test_too_large_and_too_many_are_said_before_they_are_sent(
    stage: Stage, open_browser: Opener, tmp_path: Path
) -> None:
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    large = tmp_path / "film.mov"
    large.write_bytes(b"\0" * 10_000_001)
    clip(page, large)
    expect(page.locator("#composer-error")).to_contain_text("film.mov is larger than 10 MB")
    program = tmp_path / "setup.exe"
    program.write_bytes(b"MZ")
    clip(page, program)
    page.get_by_label("Message to Lounge").fill("Try this")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#toasts")).to_contain_text("Programs are not taken")
    expect(page.get_by_label("Message to Lounge")).to_have_value("Try this")
    assert not Message.objects.filter(room=stage.room).exists()


def test_an_owner_reads_a_file_before_it_goes_out(
    model: ModelServer, running_host: object, open_browser: Opener, photo: Path
) -> None:
    stage = make_stage(model, reply_mode="approve")
    arguments = json.dumps({"name": "teas.csv", "content": "tea,minutes\ngreen,3\n"})
    model.behave(Behaviour(asks=(("attach", arguments),)))
    stage.say("Mira, which teas are there?")
    page = open_browser("/approvals/", user=stage.owner)
    card = page.locator(".card").first
    card.locator("summary", has_text="teas.csv").click()
    expect(card.locator("pre")).to_contain_text("green,3")
    card.get_by_label("Attach files to").set_input_files(str(photo))
    expect(card.locator(".picture img")).to_be_visible()
    card.get_by_role("button", name="Remove teas.csv").click()
    expect(card.locator("summary", has_text="teas.csv")).to_have_count(0)
    send(page)
    room = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    expect(room.locator(".message .picture img")).to_be_visible()
    expect(room.locator("#messages")).not_to_contain_text("teas.csv")


def send(page: Page) -> None:
    """Press *Send* until the card has taken it: one that is just drawn anew takes no press."""
    button = page.locator(".card").get_by_role("button", name="Send", exact=True)
    page.wait_for_load_state("networkidle")
    for _ in range(4):
        button.click()
        try:
            expect(button).to_have_count(0, timeout=5_000)
        except AssertionError:
            continue
        return
    expect(button).to_have_count(0)


def test_an_owner_corrects_what_an_agent_said(
    stage: Stage, model: ModelServer, open_browser: Opener
) -> None:
    model.reply = lambda body: "Tea at five."
    stage.say("Mira, when is tea?")
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.owner)
    member = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member)
    said = page.locator(".message", has_text="Tea at five.")
    said.hover()
    said.get_by_label("More about this message").click()
    said.get_by_role("button", name="Edit").click()
    page.get_by_label("What Mira said").fill("Tea at six.")
    page.get_by_role("button", name="Correct it there").click()
    corrected = member.locator(".message", has_text="Tea at six.")
    expect(corrected).to_contain_text("edited")
    expect(member.locator("#messages")).not_to_contain_text("Tea at five.")
    expect(member.get_by_label("More about this message").first).to_be_attached()
    expect(member.get_by_role("button", name="Edit")).to_have_count(0)
