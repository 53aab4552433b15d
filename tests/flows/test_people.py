"""What an agent remembers is seen, put right, taken away and forgotten in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from agentapp.identity.services.people import ensure_local_identity
from agentapp.memory.models import Memory
from agentapp.relations.models import Relationship
from tests.flows.conftest import Opener
from tests.flows.stage import Stage


def remember(stage: Stage, text: str, audience: str) -> None:
    person = ensure_local_identity(user=stage.member, workspace=stage.workspace).person
    Relationship.objects.get_or_create(
        workspace=stage.workspace, agent=stage.agent, person=person, defaults={"exchanges": 2}
    )
    Memory.objects.create(
        workspace=stage.workspace,
        agent=stage.agent,
        person=person,
        room=stage.room,
        audience=audience,
        text=text,
    )


def test_an_owner_looks_puts_right_takes_back_and_forgets(
    stage: Stage, open_browser: Opener
) -> None:
    remember(stage, "I have two cats.", "public")
    remember(stage, "I am afraid of the doctor.", "direct")
    page = open_browser("/people/", user=stage.owner)
    page.get_by_role("link", name="Sam").click()
    secret = page.get_by_text("I am afraid of the doctor.")
    expect(secret).to_be_hidden()
    page.get_by_text("Said in private: show it").click()
    expect(secret).to_be_visible()

    cats = page.locator(".remembered > li", has_text="I have two cats.")
    cats.get_by_role("link", name="Edit").click()
    page.get_by_label("What is true").fill("I have two dogs.")
    page.get_by_role("button", name="Save").click()
    dogs = page.locator(".remembered > li", has_text="I have two dogs.")
    expect(dogs).to_contain_text("corrected by the owner")
    dogs.get_by_role("button", name="Delete").click()
    expect(dogs).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(dogs).to_be_visible()

    page.locator("summary", has_text="Forget them").click()
    page.get_by_role("button", name="Forget Sam").click()
    expect(page.locator("#main")).to_contain_text("2 memories")
    assert not Memory.objects.filter(agent=stage.agent).exists()


def test_a_member_finds_out_and_decides_beside_the_room(stage: Stage, open_browser: Opener) -> None:
    remember(stage, "I have two cats.", "public")
    page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member, phone=True)
    page.goto(f"/rooms/{stage.room.pk}/me/")
    expect(page.get_by_text("I have two cats.")).to_be_visible()

    page.locator("summary", has_text="Never remember me").click()
    page.get_by_role("button", name="Never remember me").click()

    expect(page.get_by_role("button", name="Let agents remember me again")).to_be_visible()
