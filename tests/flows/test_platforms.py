"""An agent gets a login elsewhere from the page, is let in, asked, and answers once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, expect

from agentapp.identity.models import Account, Agent, Room
from agentapp.presence.models import Membership
from tests.bots.matrix.test_rooms import seen_as
from tests.bots.matrix.world import Member
from tests.fakes.discord import Bot, Discord, Person, Place
from tests.fakes.model_server import ModelServer
from tests.fakes.synapse import Synapse
from tests.flows.conftest import Opener
from tests.flows.stage import Stage, make_stage
from tests.flows.waiting import eventually

ANSWER = "Shortbread, I think."


@pytest.fixture(scope="module")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    server = Synapse(tmp_path_factory.mktemp("synapse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def careful(model: ModelServer, running_host: object) -> Stage:
    model.reply = lambda body: ANSWER
    stage = make_stage(model)
    Agent.objects.filter(pk=stage.agent.pk).update(limits={"undo_seconds": 0})
    return stage


def give_login(whole: Page, mira: Member, synapse: Synapse) -> None:
    """Fill in the form; the first password is wrong, and nothing else is asked again."""
    page = whole.locator("#login-matrix")
    page.get_by_label("User", exact=True).fill(mira.user_id)
    page.get_by_text("With a token, or at another address").click()
    page.get_by_label("Homeserver").fill(synapse.url)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Check it, then save").click()
    expect(page.locator(".error")).to_contain_text("does not accept this user and password")
    expect(page.get_by_label("User", exact=True)).to_have_value(mira.user_id)
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(mira.user.password)
    page.get_by_role("button", name="Check it, then save").click()
    expect(page.locator(".notice-good")).to_contain_text(f"Mira is {mira.user_id} now.")


def test_an_agent_is_connected_invited_asked_and_answers_once_on_matrix(
    careful: Stage, synapse: Synapse, open_browser: Opener
) -> None:
    ann, ben, mira = (Member(synapse, name) for name in ("ann", "ben", "mira"))
    page = open_browser(f"/agents/{careful.agent.pk}/", user=careful.owner)
    page.get_by_role("link", name="Give it a login elsewhere").click()
    give_login(page, mira, synapse)
    login = page.locator(".login")
    expect(login.locator(".state")).to_have_text("Connected")

    room = ann.opens(mira.user_id, ben.user_id, name="Tea")
    ben.joins(room)
    inbox = open_browser("/approvals/", user=careful.owner)
    card = inbox.locator(".card", has_text="invites it into Tea")
    expect(card).to_contain_text(ann.user_id)
    card.get_by_role("button", name="Accept").click()
    expect(card).to_have_count(0)
    expect(login.locator(".door", has_text="Tea")).to_contain_text("I approve")
    eventually(partial(seen_as, ann, room, mira.user_id), "accept")
    assert Room.objects.get(external_id=room).reply_mode == "approve"

    expect(login.locator(".is-done")).to_have_count(0)
    ben.says(room, "Lovely weather")  # for nobody in particular
    ann.says(room, "@Mira what goes with tea?", **{"m.mentions": {"user_ids": [mira.user_id]}})
    expect(login.locator(".is-done")).to_have_count(2)
    login.get_by_role("link", name="waits for you in Approvals").click()
    assert ann.hears(room, mira.user_id) == []

    page.locator(".card", has_text=ANSWER).get_by_role("button", name="Send", exact=True).click()
    eventually(lambda: ann.hears(room, mira.user_id), [ANSWER])
    page.goto("/platforms/")
    expect(login).to_contain_text("It answered.")
    assert ben.hears(room, mira.user_id) == [ANSWER]
    removes_it(page, careful, ann, room, mira)
    assert ann.hears(room, mira.user_id) == [ANSWER]


def removes_it(page: Page, stage: Stage, ann: Member, room: str, mira: Member) -> None:
    """Take the login away; it leaves the room there."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".login summary").first.click()
    page.get_by_role("button", name="Remove this login").click()
    expect(page.locator(".login")).to_have_count(0)
    assert seen_as(ann, room, mira.user_id) == "decline"
    assert Account.objects.get(agent=stage.agent, platform="matrix").secret == ""
    assert Membership.objects.get(room__external_id=room).state == "left"


def test_an_agent_is_connected_let_in_asked_and_answers_once_on_discord(
    careful: Stage, discord: Discord, open_browser: Opener
) -> None:
    bot = discord.bot("mira")
    page = open_browser(f"/platforms/?agent={careful.agent.pk}", user=careful.owner)
    login = page.locator(".login")
    gives_a_token(page, bot)
    pond = discord.guild("Pond", bot)  # whoever opened the link chose a server
    tea, _hall, ann = pond.channel("tea"), pond.channel("hall"), pond.member("ann")
    lets_it_into_tea(login)
    olga = pond.member("olga")
    chat = links_a_chat(login, olga, bot)
    expect(login.locator(".is-done")).to_have_count(0)
    ann.says(tea, f"{bot.mention} what goes with tea?")
    expect(login.locator(".is-done")).to_have_count(2)
    login.get_by_role("link", name="waits for you in Approvals").click()
    expect(page.locator(".card", has_text=ANSWER)).to_be_visible()

    discord.until(lambda: [one for one in chat.messages() if one.buttons], 30)
    card = chat.messages()[-1]
    assert f"> {ANSWER}" in card.text
    olga.presses(card, card.buttons[0])
    discord.until(lambda: tea.said(ANSWER), 30)
    assert tea.said(ANSWER).mentions == {"ann"}
    page.goto("/platforms/")
    expect(login).to_contain_text("It answered.")
    page.on("dialog", lambda dialog: dialog.accept())
    login.locator(".group > summary").click()
    login.get_by_role("button", name="Leave Pond").click()
    expect(login.locator(".group")).to_have_count(0)
    discord.until(lambda: bot.id not in pond.it.members)
    assert [one.text for one in tea.messages()].count(ANSWER) == 1


def gives_a_token(page: Page, bot: Bot) -> None:
    """Fill in the form; the first token is wrong."""
    form, login = page.locator("#login-discord"), page.locator(".login")
    form.get_by_label("Token").fill("not a token")
    form.get_by_role("button", name="Check it, then save").click()
    expect(form.locator(".error")).to_contain_text("Discord does not know this token")
    form.get_by_label("Token").fill(bot.token)
    form.get_by_label("Let it read everything").check()
    form.get_by_role("button", name="Check it, then save").click()
    expect(form.locator(".notice-good")).to_contain_text("Mira is @mira now.")
    expect(login.locator(".state")).to_have_text("Connected")
    expect(login).to_contain_text("It reads everything that is said in its channels.")
    link = login.get_by_role("link", name="Invite it into a server")
    assert f"client_id={bot.id}" in str(link.get_attribute("href"))


def lets_it_into_tea(login: Locator) -> None:
    expect(login.locator(".group")).to_contain_text("2 channels to choose from")
    login.get_by_role("button", name="Let it talk here in tea").click()
    expect(login.locator(".door", has_text="tea (Pond)")).to_contain_text("I approve")
    expect(login.locator(".group")).to_contain_text("1 channel to choose from")


def links_a_chat(login: Locator, olga: Person, bot: Bot) -> Place:
    """Prove by a code that Olga is the owner; return where her cards come."""
    chat = olga.dm(bot)
    login.get_by_role("button", name="Set it up").click()
    olga.says(chat, login.locator("code").inner_text())
    expect(login).to_contain_text("comes as a direct message to Olga")
    return chat
