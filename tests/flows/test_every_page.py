"""Every page, in light and dark, wide and on a phone: axe finds nothing, nothing sticks out."""

from __future__ import annotations

import io
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Page, expect

from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.commands import links
from agentapp.commands.models import CommandCall
from agentapp.drafts.models import Draft
from agentapp.drafts.services import attach
from agentapp.files.services import Given
from agentapp.foundation import clock
from agentapp.identity import services as identity
from agentapp.identity.models import Room
from agentapp.identity.platforms import Details
from agentapp.identity.services import stays
from agentapp.identity.services.logins import add_login
from agentapp.identity.services.rooms import make_room_link
from agentapp.intake import services as intake
from agentapp.keyring.models import Keyring, Unread
from agentapp.llm.models import Provider
from agentapp.memory.models import Memory
from agentapp.presence import arrivals
from agentapp.presence.models import Doorway, Membership
from agentapp.relations.models import Relationship
from agentapp.tools.models import ToolCall
from agentapp.turns.models import Turn
from bots.matrix.credentials import Login
from bots.matrix.login import packed
from tests.fakes.model_server import ModelServer
from tests.flows.conftest import PHONE, WIDE, Opener
from tests.flows.stage import Stage, make_stage, make_user

PROPOSED = "Shortbread, I think."
DRAFT_SECONDS = 60
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

OF_AN_OWNER: dict[str, Callable[[Stage], str]] = {
    "home": lambda _: reverse("home"),
    "approvals": lambda _: reverse("approvals"),
    "rooms": lambda _: reverse("rooms"),
    "room_new": lambda _: reverse("room_new"),
    "room": lambda stage: reverse("room", args=[stage.room.pk]),
    "agents": lambda _: reverse("agents"),
    "agent_new": lambda _: reverse("agent_new"),
    "agent": lambda stage: reverse("agent", args=[stage.agent.pk]),
    "agent_edit": lambda stage: reverse("agent_edit", args=[stage.agent.pk]),
    "turn": lambda stage: reverse("turn", args=[Turn.objects.filter(agent=stage.agent)[0].pk]),
    "platforms": lambda _: reverse("platforms"),
    "encryption": lambda stage: reverse("login_encryption", args=[with_keys(stage)]),
    "homeservers": lambda stage: reverse("homeservers") + handing_over(stage),
    "people": lambda stage: reverse("people") + gone(stage),
    "people who left": lambda stage: f"{reverse('people')}{gone(stage)}?left=yes",
    "person": lambda stage: reverse("person", args=[remembered(stage).person_id]),
    "person who left": lambda stage: reverse("person", args=[who_left(stage)]),
    "memory_edit": lambda stage: reverse("memory_edit", args=[remembered(stage).pk]),
    "me": lambda stage: reverse("me", args=[stage.room.pk]),
    "costs": lambda _: reverse("costs"),
    "settings": lambda _: reverse("settings"),
    "embeddings": lambda _: reverse("embeddings"),
    "api_guide": lambda _: reverse("api_guide"),
    "password": lambda _: reverse("account_change_password"),
    "second factor": lambda _: reverse("mfa_index"),
    "nothing here": lambda _: "/nothing/here/",
}


def handing_over(stage: Stage) -> str:
    """Have one homeserver hand over, with an agent that lives there, and one wait for its file."""
    for domain, health in (("green.example", "failing"), ("other.example", "starting")):
        service, _ = ApplicationService.objects.get_or_create(
            workspace=stage.workspace,
            platform="matrix",
            domain=domain,
            defaults={
                "address": f"https://{domain}",
                "prefix": "agent-",
                "health": health,
                "last_error": "The homeserver does not answer." if health == "failing" else "",
            },
        )
        if health == "failing":
            account = stage.agent.accounts.get(platform="matrix")
            Ghost.objects.get_or_create(account=account, defaults={"service": service})
    return ""


def with_keys(stage: Stage) -> uuid.UUID:
    """Have the agent's login read encrypted rooms, but for two messages."""
    account = stage.agent.accounts.get(platform="matrix")
    fingerprint = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/abcde"
    ring, _ = Keyring.objects.get_or_create(
        account=account,
        workspace=stage.workspace,
        device="VQXWLBGTZE",
        fingerprint=fingerprint,
    )
    Unread.objects.bulk_create(
        (
            Unread(keyring=ring, room_external_id="!r", external_id=f"${n}", key_name="k")
            for n in range(2)
        ),
        ignore_conflicts=True,
    )
    return account.pk


def remembered(stage: Stage) -> Memory:
    """Have the agent remember something of the owner, in public and in private."""
    handle = identity.ensure_local_identity(user=stage.owner, workspace=stage.workspace)
    for audience in (Memory.Audience.DIRECT, Memory.Audience.PUBLIC):
        memory, _ = Memory.objects.get_or_create(
            workspace=stage.workspace,
            agent=stage.agent,
            person=handle.person,
            room=stage.room,
            audience=audience,
            text="I have two cats.",
        )
    return memory


def who_left(stage: Stage) -> int:
    """Have somebody whom the agent knew leave two servers; return who."""
    handle = identity.ensure_identity(
        workspace=stage.workspace, platform="discord", external_id="4", name="Ben of the reeds"
    )
    assert handle.person_id
    Relationship.objects.get_or_create(
        workspace=stage.workspace, agent=stage.agent, person_id=handle.person_id
    )
    for name in ("The Pond of Frogs", "A server with a name that is as long as names get"):
        room, _ = Room.objects.get_or_create(
            workspace=stage.workspace, platform="discord", external_id=name, group_id=name
        )
        Membership.objects.get_or_create(
            workspace=stage.workspace,
            agent=stage.agent,
            room=room,
            account=stage.agent.accounts.get(platform="discord"),
            defaults={"state": "left", "joined_at": clock.now(), "left_at": clock.now()},
        )
        stays.left(identity=handle, group=stays.Group(name, name))
    return handle.person_id


def gone(stage: Stage) -> str:
    who_left(stage)
    return ""


@pytest.fixture(scope="module")
def lived_in(running_host: object, model_server: ModelServer) -> Stage:
    """A world with a card that waits, one decision, and some talk."""
    model_server.reply = lambda body: PROPOSED
    stage = make_stage(model_server, reply_mode="approve")
    stage.say("Mira, what goes with tea?")
    deadline = time.monotonic() + DRAFT_SECONDS
    while not Draft.objects.filter(agent=stage.agent, status="pending").exists():
        assert time.monotonic() < deadline, "no draft came"
        time.sleep(0.1)
    Provider.objects.create(
        workspace=stage.workspace,
        name="another.example",
        base_url="https://another.example/v1",
        reply_model="small",
        rank=1,
        circuit=Provider.Circuit.OPEN,
        circuit_failures=5,
        circuit_until=clock.now(),
    )
    give_logins(stage)
    use_tools(stage)
    send_files(stage)
    return stage


def send_files(stage: Stage) -> None:
    """Have a picture and a text stand in the room, and a text and a picture wait on the card."""
    out = io.BytesIO()
    Image.new("RGB", (640, 400), "teal").save(out, "PNG")
    files = [Given("garden.png", out.getvalue()), Given("plants list.csv", b"a,b\n1,2\n")]
    intake.post_web_message(
        user=stage.member, room_id=stage.room.pk, text="Our garden.", files=files
    )
    draft = Draft.objects.get(agent=stage.agent, status="pending")
    for given in files:
        draft = attach(draft_id=draft.pk, version=draft.version, given=given, by=stage.owner)


def use_tools(stage: Stage) -> None:
    """Have a thought show what it asked of tools, granted and not."""
    turn = Turn.objects.filter(agent=stage.agent)[0]
    for ordinal, (name, status) in enumerate([("recall", "done"), ("shell", "refused")]):
        ToolCall.objects.create(
            workspace=stage.workspace,
            turn=turn,
            step=1,
            ordinal=ordinal,
            name=name,
            arguments='{"about": "tea"}',
            status=status,
            result="You remember nothing about that.",
        )


def give_logins(stage: Stage) -> None:
    """Give the agent a login that has trouble, a room there, and an invitation."""
    user_id, nowhere = f"@mira{stage.agent.pk}:green.invalid", "https://green.invalid"
    account = add_login(
        agent_id=stage.agent.pk,
        platform="matrix",
        external_id=user_id,
        name="Mira",
        secret=packed(Login(nowhere, user_id, "DEVICE", "syt_token")),
        by=stage.owner,
    )
    give_a_bot(stage)
    attic, cellar = (
        Room.objects.create(
            workspace=stage.workspace,
            platform="matrix",
            external_id=f"!{name}{stage.agent.pk}",
            name=name,
            reply_mode=Room.ReplyMode.APPROVE,
        )
        for name in ("Attic", "Cellar")
    )
    with transaction.atomic():
        arrivals.arrived(room=attic, agent_id=stage.agent.pk, since=clock.now())
        arrivals.invited(
            room=cellar, agent_id=stage.agent.pk, account_id=account.pk, by="@ann:green.invalid"
        )


def private_answer(stage: Stage) -> str:
    """Have the member ask something on a platform that shows nothing to one person alone."""
    handle = identity.ensure_local_identity(user=stage.member, workspace=stage.workspace)
    with transaction.atomic():
        row = CommandCall.objects.create(
            workspace=stage.workspace, key=secrets.token_hex(8), command="why", handle=handle
        )
        row.words = "Because you asked."
        (address,) = (word for word in links.hand_over(row).split() if "/answer/" in word)
        row.save()
    return address[address.index("/answer/") :]


def give_a_bot(stage: Stage) -> None:
    """Give the agent a bot that is in a server, where one channel is closed to it."""
    told = Details(
        name="@mira",
        invite_url="https://discord.com/oauth2/authorize?client_id=1",
        notes=("It reads everything that is said in its channels.",),
    )
    bot = add_login(
        agent_id=stage.agent.pk,
        platform="discord",
        external_id=f"1{stage.agent.pk}",
        name="Mira",
        secret=f"no-token-{stage.agent.pk}",
        details=told.packed(),
        by=stage.owner,
    )
    for position, (name, hindrance) in enumerate(
        [("tea", ""), ("a channel with a rather long name", "Its role needs Send Messages here.")]
    ):
        Doorway.objects.create(
            account=bot,
            external_id=f"{stage.agent.pk}{position}",
            name=name,
            group_id="77",
            group_name="The Pond of Frogs",
            position=position,
            hindrance=hindrance,
        )


def of_a_visitor(stage: Stage) -> dict[str, str]:
    return {
        "login": reverse("account_login"),
        "start": f"/start/{identity.make_login_link(user=make_user('Nora'))}/",
        "spent link": "/start/spent/",
        "join": f"/join/{make_room_link(room_id=stage.room.pk, by=stage.owner)}/",
        "ended invitation": "/join/ended/",
        "answer": private_answer(stage),
        "answer gone": "/answer/gone/",
    }


def violations(page: Page, *, only: Sequence[str] = STANDARDS, **without: bool) -> list[str]:
    """Return what axe objects to, one line each; `without` switches single rules."""
    rules = {name.replace("_", "-"): {"enabled": on} for name, on in without.items()}
    options = {"runOnly": list(only), "rules": rules, "resultTypes": ["violations"]}
    is_loaded = page.evaluate("'axe' in window")
    found = Axe(*["0"] if is_loaded else []).run(page, options=options)
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def sticks_out(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert isinstance(width, int)
    return max(width, 0)


def faults(page: Page) -> list[str]:
    """Look at a page in the light, in the dark, where only its colours differ, and on a phone."""
    found = violations(page)
    _settled(page, color_scheme="dark")
    found += [f"dark: {each}" for each in violations(page, only=["color-contrast"])]
    _settled(page, color_scheme="light")
    page.set_viewport_size(PHONE)
    found += [f"phone: {each}" for each in violations(page, color_contrast=False)]
    page.set_viewport_size(WIDE)
    return found


def _settled(page: Page, *, color_scheme: Literal["light", "dark"]) -> None:
    """Change the colours and wait until nothing is on its way to them, nor started by what was."""
    page.emulate_media(color_scheme=color_scheme)
    page.evaluate(
        "async () => { const running = () => document.getAnimations()"
        ".filter(each => each instanceof CSSTransition);"
        "do { await Promise.all(running().map(each => each.finished.catch(() => null)));"
        "await new Promise(requestAnimationFrame); } while (running().length) }"
    )


def test_axe_finds_nothing_on_any_page_of_an_owner(lived_in: Stage, open_browser: Opener) -> None:
    page = open_browser("/", user=lived_in.owner, is_examined=True)
    found: dict[str, list[str]] = {}
    for name, path in OF_AN_OWNER.items():
        page.goto(path(lived_in))
        if faulty := faults(page):
            found[name] = faulty
    assert found == {}


def test_axe_finds_nothing_on_any_page_of_a_visitor(lived_in: Stage, open_browser: Opener) -> None:
    found: dict[str, list[str]] = {}
    page = open_browser("/account/login/", is_examined=True)
    for name, path in of_a_visitor(lived_in).items():
        page.goto(path)
        if faulty := faults(page):
            found[name] = faulty
    assert found == {}


def test_axe_sees_what_cannot_be_read(lived_in: Stage, open_browser: Opener) -> None:
    """The same look at a page that was spoilt: pale words in the dark, and a nameless button."""
    page = open_browser("/account/login/", is_examined=True)
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<style>@media"
        " (prefers-color-scheme: dark) {.pale {color: #222; background: #111}}</style>"
        "<p class=pale>Pale words</p><button></button>')"
    )
    found = faults(page)
    assert any(each.startswith("dark: color-contrast") for each in found)
    assert any(each.startswith("button-name") for each in found)
    assert any(each.startswith("phone: button-name") for each in found)


def test_no_page_is_wider_than_its_window_or_complains(
    lived_in: Stage, open_browser: Opener
) -> None:
    visitor = open_browser("/account/login/", phone=True)
    owner = open_browser("/", user=lived_in.owner, phone=True)
    wide: dict[str, list[int]] = {}
    for page, paths in (
        (visitor, of_a_visitor(lived_in)),
        (owner, {name: path(lived_in) for name, path in OF_AN_OWNER.items()}),
    ):
        for name, path in paths.items():
            page.set_viewport_size(PHONE)
            page.goto(path)
            on_a_phone = sticks_out(page)
            page.set_viewport_size(WIDE)
            if any(beyond := [on_a_phone, sticks_out(page)]):
                wide[name] = beyond
    assert wide == {}


def test_platforms_are_one_tap_away_on_a_phone(lived_in: Stage, open_browser: Opener) -> None:
    page = open_browser("/", user=lived_in.owner, phone=True)
    page.get_by_role("link", name="Platforms", exact=True).locator("visible=true").click()
    expect(page.get_by_role("heading", name="Platforms", level=1)).to_be_visible()
    assert sticks_out(page) == 0


def test_the_why_panel_and_an_open_menu_have_no_fault(
    lived_in: Stage, open_browser: Opener
) -> None:
    page = open_browser("/approvals/", user=lived_in.owner, is_examined=True)
    card = page.locator(".card", has_text=PROPOSED)
    card.locator("summary", has_text="Skip").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    card.get_by_role("link", name="Why?").click()
    expect(page.locator("#panel")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(("phone", "dark"), [(False, True), (True, False)], ids=["dark", "phone"])
def test_an_open_endpoint_and_the_form_for_a_rooms_name_have_no_fault(
    lived_in: Stage, open_browser: Opener, phone: bool, dark: bool
) -> None:
    guide = reverse("api_guide")
    page = open_browser(guide, user=lived_in.owner, phone=phone, dark=dark, is_examined=True)
    page.locator("#get-agents-agentid-drafts > summary").click()
    page.get_by_text("What the answer holds").locator("visible=true").click()
    assert (violations(page), sticks_out(page)) == ([], 0)
    page.goto(f"{reverse('room', args=[lived_in.room.pk])}#room-side")
    page.get_by_text("Rename this room").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Lounge")
    assert (violations(page), sticks_out(page)) == ([], 0)


def test_a_keyboard_is_enough_to_send_a_draft(
    model: ModelServer, running_host: object, open_browser: Opener
) -> None:
    model.reply = lambda body: PROPOSED
    stage = make_stage(model, reply_mode="approve")
    page = open_browser("/approvals/", user=stage.owner)
    stage.say("Mira, what goes with tea?")
    expect(page.locator(".card:not(.card-is-writing)", has_text=PROPOSED)).to_be_visible()

    page.keyboard.press("j")
    page.keyboard.press("a")

    expect(page.locator(".card", has_text="In Lounge")).to_be_visible()
