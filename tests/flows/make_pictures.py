"""Takes the pictures that the documents show, of the running product.

Not part of the tests; run it by name: `.venv/bin/pytest tests/flows/make_pictures.py`.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, expect

from agentapp.drafts.models import Draft
from agentapp.identity.models import Seat, User
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.logins import add_login
from agentapp.identity.services.rooms import create_room, join_room, set_reply_mode
from agentapp.identity.services.tenancy import give_seat
from agentapp.identity.templates import LIBRARIAN
from agentapp.intake.doorways import pick_doorway
from agentapp.intake.services import post_web_message
from agentapp.presence.invitations import accept_invitation, waiting_for
from agentapp.presence.models import Doorway, Membership
from agentapp.presence.services import add_agent
from bots.matrix.credentials import Login
from bots.matrix.login import packed
from tests.bots.matrix.test_rooms import seen_as
from tests.bots.matrix.world import Member
from tests.fakes.discord import Discord
from tests.fakes.model_server import ModelServer
from tests.fakes.synapse import Synapse
from tests.flows.processes import RunningHost
from tests.flows.stage import Stage, log_in, make_stage, make_user
from tests.flows.test_platforms import synapse
from tests.flows.waiting import eventually

__all__ = ["synapse"]

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WINDOW = {"width": 1180, "height": 760}
SHARPNESS = 1.5

MIRA = (
    "You did it, Ana. Tea first, then I want to hear everything: was there a question about "
    "rivers after all?"
)
JUNO = (
    "Yes: tomatoes want it warm, so wait until the nights stay above ten degrees. I am sure of "
    "the ten degrees, less sure of your balcony."
)


def answer(body: dict[str, object]) -> str:
    return JUNO if "You are Juno" in str(body["messages"]) else MIRA


def wait_for(agent_name: str, stage: Stage) -> None:
    deadline = time.monotonic() + 60
    waiting = Draft.objects.filter(workspace=stage.workspace, agent__name=agent_name)
    while not waiting.filter(status="pending").exists():
        assert time.monotonic() < deadline, f"nothing of {agent_name} came"
        time.sleep(0.2)


def somebody(name: str, stage: Stage, *rooms: int) -> User:
    user = make_user(name)
    give_seat(user=user, workspace=stage.workspace, role=Seat.Role.MEMBER)
    for room_id in rooms:
        join_room(room_id=room_id, user=user)
    return user


def test_take_the_approvals(
    running_host: RunningHost, model: ModelServer, browser: Browser
) -> None:
    model.reply = answer
    stage = make_stage(model, reply_mode="approve")
    garden = create_room(
        workspace=stage.workspace, name="Garden", visibility="public", by=stage.owner
    )
    set_reply_mode(room_id=garden.pk, mode="approve", by=stage.owner)
    juno = create_agent(
        owner=stage.owner, workspace=stage.workspace, name="Juno", spec=LIBRARIAN.spec
    )
    add_agent(room_id=garden.pk, agent_id=juno.pk, by=stage.owner)
    ana = somebody("Ana", stage, stage.room.pk)
    ben = somebody("Ben", stage, stage.room.pk, garden.pk)

    post_web_message(user=ben, room_id=garden.pk, text="Juno, is it too early for the tomatoes?")
    wait_for("Juno", stage)
    post_web_message(user=ben, room_id=stage.room.pk, text="How was it? You look pale.")
    post_web_message(
        user=ana,
        room_id=stage.room.pk,
        text="Mira, it is over! Three hours. My hands are still shaking.",
    )
    wait_for("Mira", stage)

    context = browser.new_context(
        base_url=running_host.url, viewport=WINDOW, device_scale_factor=SHARPNESS
    )
    log_in(context, stage.owner, url=running_host.url)
    page = context.new_page()
    page.goto("/approvals/")
    expect(page.locator(".card")).to_have_count(2)
    page.wait_for_timeout(1_000)
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "approvals.png")
    context.close()


def test_take_the_platforms(
    running_host: RunningHost, model: ModelServer, browser: Browser, synapse: Synapse
) -> None:
    """A login on a homeserver with a room, an invitation, and first words that wait."""
    model.reply = lambda body: "Hello Ann! Kettle is on."
    stage = make_stage(model, reply_mode="approve")
    ann, mira = Member(synapse, "ann"), Member(synapse, "mira")
    login = Login(synapse.url, mira.user_id, mira.user.device_id, mira.user.token)
    add_login(
        agent_id=stage.agent.pk,
        platform="matrix",
        external_id=mira.user_id,
        name="Mira",
        secret=packed(login),
        by=stage.owner,
    )
    kitchen = ann.opens(mira.user_id, name="Kitchen table")
    ann.opens(mira.user_id, name="Garden club")
    while waiting_for(stage.owner).count() < 2:
        time.sleep(0.1)
    invitation = waiting_for(stage.owner).get(room__external_id=kitchen)
    accept_invitation(membership_id=invitation.pk, by=stage.owner)
    eventually(partial(seen_as, ann, kitchen, mira.user_id), "accept")
    ann.says(kitchen, "@Mira hello", **{"m.mentions": {"user_ids": [mira.user_id]}})
    wait_for("Mira", stage)

    context = browser.new_context(
        base_url=running_host.url, viewport=WINDOW, device_scale_factor=SHARPNESS
    )
    log_in(context, stage.owner, url=running_host.url)
    page = context.new_page()
    page.goto("/platforms/")
    expect(page.locator(".is-done")).to_have_count(2)
    page.screenshot(path=PICTURES / "platforms.png")
    context.close()


def test_take_discord(
    running_host: RunningHost, model: ModelServer, browser: Browser, discord: Discord
) -> None:
    """A bot in a server, one channel picked, first words that wait, and cards in a chat."""
    model.reply = lambda body: "Hello Ann! Kettle is on."
    stage = make_stage(model, reply_mode="approve")
    bot = discord.bot("mira")
    pond = discord.guild("Garden club", bot)
    tea, _hall, ann = pond.channel("tea-corner"), pond.channel("seeds"), pond.member("ann")
    add_login(
        agent_id=stage.agent.pk,
        platform="discord",
        external_id=str(bot.id),
        name="Mira",
        secret=bot.token,
        by=stage.owner,
    )
    doorways = Doorway.objects.filter(account__agent=stage.agent, external_id=str(tea.id))
    while not doorways.exists():
        time.sleep(0.1)
    membership = pick_doorway(doorway_id=doorways.get().pk, by=stage.owner)
    eventually(lambda: Membership.objects.get(pk=membership.pk).state, "active")
    ann.says(tea, f"{bot.mention} hello")
    wait_for("Mira", stage)

    context = browser.new_context(
        base_url=running_host.url, viewport=WINDOW, device_scale_factor=SHARPNESS
    )
    log_in(context, stage.owner, url=running_host.url)
    page = context.new_page()
    page.goto("/platforms/")
    expect(page.locator(".is-done")).to_have_count(2)
    page.locator(".group > summary").click()
    page.screenshot(path=PICTURES / "discord.png")
    context.close()
