from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.demo import services as demo
from agentapp.identity.services.rooms import create_room, make_room_link
from agentapp.identity.services.tenancy import make_login_link
from agentapp.llm.models import Provider
from agentapp.notifications.models import Notification
from agentapp.notifications.services import notify
from agentapp.safety.services import stop
from tests.cast import Cast, make_message
from tests.dashboard.pages.world import AS_SCRIPT, make_draft

OWNERS_PAGES = [
    "home",
    "approvals",
    "rooms",
    "room_new",
    "agents",
    "agent_new",
    "platforms",
    "costs",
    "settings",
    "api_guide",
]
FRAGMENTS = [
    "home_head",
    "home_waits",
    "home_rooms",
    "home_steps",
    "home_cost",
    "home_agents",
    "status",
    "approvals_cards",
    "rooms_list",
    "agents_list",
    "platform_logins",
    "costs_today",
]


@pytest.mark.parametrize("name", OWNERS_PAGES)
def test_an_owner_gets_the_page(cast: Cast, root: Client, name: str) -> None:
    make_draft(cast)
    answer = root.get(reverse(name))
    assert answer.status_code == 200
    assert "<h1" in answer.content.decode()
    assert "Pause all" in answer.content.decode()


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_no_whole_page(cast: Cast, root: Client, name: str) -> None:
    make_draft(cast)
    answer = root.get(reverse(name), **AS_SCRIPT)
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize("name", OWNERS_PAGES)
def test_a_page_asks_a_stranger_to_sign_in(cast: Cast, client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")


@pytest.mark.parametrize("name", [*OWNERS_PAGES, "room", "agent", "turn", "draft"])
def test_a_page_holds_no_inline_script_or_style(cast: Cast, root: Client, name: str) -> None:
    draft = make_draft(cast)
    ids = {
        "room": cast.lounge.pk,
        "agent": cast.ada.pk,
        "turn": draft.turn_id,
        "draft": draft.pk,
    }
    html = root.get(reverse(name, args=[ids[name]] if name in ids else [])).content.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)


def test_a_member_sees_rooms_and_settings_only(cast: Cast, sam: Client) -> None:
    html = sam.get(reverse("home")).content.decode()
    assert "Lounge" in html
    assert "Approvals" not in html.split("<main")[0]
    assert "Pause all" not in html
    for name in ("costs", "agent_new", "room_new", "api_guide"):
        assert sam.get(reverse(name)).status_code == 404


def test_what_is_not_built_is_not_offered(cast: Cast, root: Client) -> None:
    html = root.get(reverse("home")).content.decode()
    for word in ("Goals", "Workspace"):
        assert f"<span>{word}</span>" not in html


def test_pause_all_shows_on_every_page_and_ends_by_resume(cast: Cast, root: Client) -> None:
    root.post(reverse("pause_all"))
    for name in OWNERS_PAGES:
        assert "All agents are paused." in root.get(reverse(name)).content.decode()
    assert "Paused with all" in root.get(reverse("agents")).content.decode()
    root.post(reverse("resume_all"))
    assert "All agents are paused." not in root.get(reverse("home")).content.decode()


def test_a_member_cannot_pause_anything(cast: Cast, sam: Client, root: Client) -> None:
    sam.post(reverse("pause_all"))
    assert "All agents are paused." not in root.get(reverse("home")).content.decode()


def test_a_member_does_not_lift_the_owners_pause(cast: Cast, sam: Client, root: Client) -> None:
    stop(scope="workspace", workspace_id=cast.workspace.pk, by=cast.root)
    sam.post(reverse("resume_all"))
    assert "All agents are paused." in root.get(reverse("home")).content.decode()


def test_first_steps_tick_themselves_off(cast: Cast, root: Client) -> None:
    before = root.get(reverse("home_steps")).content.decode()
    assert before.count("is-done") == 2  # an agent exists and is in a room
    Provider.objects.create(
        workspace=cast.workspace, name="local", reply_model="small", is_default=True
    )
    assert root.get(reverse("home_steps")).content.decode().count("is-done") == 3


def test_the_demo_is_shown_until_it_is_removed(cast: Cast, root: Client) -> None:
    demo.start(user=cast.root)
    html = root.get(reverse("home")).content.decode()
    assert "Live demo" in html
    root.post(reverse("demo_remove"))
    assert "Live demo" not in root.get(reverse("home")).content.decode()


def test_the_demo_of_somebody_else_is_not_shown(cast: Cast, olga: Client) -> None:
    demo.start(user=cast.root)
    assert "Live demo" not in olga.get(reverse("home")).content.decode()
    assert olga.get(reverse("demo_talk")).status_code == 204


def test_a_note_stands_on_home_until_it_is_read(cast: Cast, root: Client, sam: Client) -> None:
    notify(
        user_id=cast.root.pk,
        workspace_id=cast.workspace.pk,
        kind="agent.moderated",
        subject_kind="agent",
        subject_id=cast.ada.pk,
        text="Ada was suspended.",
    )
    note = reverse("note_read", args=[Notification.objects.get().pk])
    assert sam.post(note).status_code == 404
    assert "Ada was suspended." in root.get(reverse("home")).content.decode()
    root.post(note)
    assert "Ada was suspended." not in root.get(reverse("home")).content.decode()


def test_a_waiting_draft_is_not_told_twice(cast: Cast, root: Client) -> None:
    make_draft(cast)
    assert "wants to send" not in root.get(reverse("home_notes")).content.decode()


def test_the_theme_is_kept_with_the_account(cast: Cast, root: Client) -> None:
    root.post(reverse("theme"), {"theme": "dark"}, **AS_SCRIPT)
    assert 'data-theme="dark"' in root.get(reverse("home")).content.decode()


def test_an_unknown_theme_is_refused_in_words(cast: Cast, root: Client) -> None:
    answer = root.post(reverse("theme"), {"theme": "plaid"}, **AS_SCRIPT)
    assert answer.status_code == 422
    assert "plaid" in answer["HX-Trigger"]


def test_plain_http_from_afar_is_called_what_it_is(cast: Cast, root: Client) -> None:
    here = root.get(reverse("home"), HTTP_HOST="localhost")
    afar = root.get(reverse("home"), HTTP_HOST="testserver")
    assert "plain http" not in here.content.decode()
    assert "plain http" in afar.content.decode()


def test_names_cannot_break_the_page(cast: Cast, root: Client) -> None:
    name = "<script>alert(1)</script>"
    room = create_room(workspace=cast.workspace, name=name, visibility="public", by=cast.root)
    make_message(cast, cast.sam, "<img src=x onerror=alert(1)>", room=room)
    for address in (reverse("rooms"), reverse("room", args=[room.pk])):
        html = root.get(address).content.decode()
        assert "<script>alert" not in html
        assert "<img" not in html


def test_a_login_link_is_used_up_by_its_button_only(cast: Cast, client: Client) -> None:
    address = reverse("start", args=[make_login_link(user=cast.root)])
    for _ in range(2):
        assert "Come in" in client.get(address).content.decode()
    assert client.post(address)["Location"] == reverse("home")
    assert client.get(reverse("home")).status_code == 200
    assert Client().post(address).status_code == 410


def test_the_first_login_starts_the_demo(cast: Cast, client: Client) -> None:
    client.post(reverse("start", args=[make_login_link(user=cast.root)]))
    assert "Live demo" in client.get(reverse("home")).content.decode()


def test_a_room_link_lets_several_guests_in(cast: Cast) -> None:
    token = make_room_link(room_id=cast.lounge.pk, by=cast.root)
    address = reverse("join", args=[token])
    for name in ("Ida", "Jon"):
        guest = Client()
        assert "Ada and Bo are AIs" in guest.get(address).content.decode()
        answer = guest.post(address, {"name": name})
        assert answer["Location"] == reverse("room", args=[cast.lounge.pk])
        assert name in guest.get(answer["Location"]).content.decode()


def test_a_guest_cannot_take_an_agents_name(cast: Cast, client: Client) -> None:
    address = reverse("join", args=[make_room_link(room_id=cast.lounge.pk, by=cast.root)])
    answer = client.post(address, {"name": "ada"})
    assert answer.status_code == 422
    assert "already has this name" in answer.content.decode()


def test_an_ended_room_link_says_what_to_do(cast: Cast, client: Client) -> None:
    answer = client.get(reverse("join", args=["no-such-token"]))
    assert answer.status_code == 404
    assert "Ask whoever sent it" in answer.content.decode()
