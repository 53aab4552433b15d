from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.identity.models import ApiToken, Room
from agentapp.identity.services.rooms import create_room
from agentapp.identity.services.tokens import make_api_token
from agentapp.presence.models import Membership
from tests.cast import Cast, make_message
from tests.dashboard.pages.world import AS_SCRIPT, make_draft

READS = {
    "draft": ["draft", "draft_edit"],
    "room": ["room", "room_messages", "room_side"],
    "message": ["message", "message_edit", "message_why"],
    "agent": ["agent", "agent_hero", "agent_noticed", "agent_edit"],
    "turn": ["turn", "turn_body"],
}
WRITES = {
    "draft": [
        "draft_edit",
        "draft_send",
        "draft_skip",
        "draft_snooze",
        "draft_undo",
        "draft_retract",
    ],
    "room": ["room_say", "room_dial", "room_mode", "room_link", "room_links_end", "room_add_agent"],
    "message": ["message_edit", "message_delete", "message_react"],
    "agent": [
        "agent_edit",
        "agent_pause",
        "agent_resume",
        "agent_talk",
        "agent_suspend",
        "agent_lift",
    ],
    "membership": [
        "invitation_accept",
        "invitation_decline",
        "membership_voice",
        "membership_leave",
    ],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, names in table.items() for name in names]


@pytest.fixture
def ids(cast: Cast) -> dict[str, int]:
    """One row of each kind that belongs to Root, in a room where nobody else is."""
    room: Room = create_room(
        workspace=cast.workspace, name="Study", visibility="private", by=cast.root
    )
    message = make_message(cast, cast.root, "A private thought.", room=room)
    draft = make_draft(cast)
    assert draft.turn_id is not None
    return {
        "draft": draft.pk,
        "room": room.pk,
        "message": message.pk,
        "agent": cast.ada.pk,
        "turn": draft.turn_id,
        "membership": Membership.objects.filter(agent=cast.ada)[0].pk,
    }


@pytest.mark.parametrize(("kind", "name"), pairs(READS))
def test_what_belongs_to_others_is_not_found(
    ids: dict[str, int], sam: Client, olga: Client, kind: str, name: str
) -> None:
    for browser in (sam, olga):
        assert browser.get(reverse(name, args=[ids[kind]])).status_code == 404


@pytest.mark.parametrize(("kind", "name"), pairs(WRITES))
def test_nobody_acts_on_what_belongs_to_others(
    ids: dict[str, int], sam: Client, olga: Client, kind: str, name: str
) -> None:
    fields = {"text": "x", "version": "1", "content_hash": "x", "emoji": "x", "agent": ids["agent"]}
    for browser in (sam, olga):
        answer = browser.post(reverse(name, args=[ids[kind]]), fields, **AS_SCRIPT)
        assert answer.status_code == 404


@pytest.mark.parametrize(("kind", "name"), [*pairs(READS), *pairs(WRITES)])
def test_what_is_not_there_looks_the_same(root: Client, kind: str, name: str) -> None:
    address = reverse(name, args=[987_654_321])
    answer = root.post(address, **AS_SCRIPT) if (kind, name) in pairs(WRITES) else root.get(address)
    assert answer.status_code == 404


def test_nothing_of_one_workspace_stands_on_lists_of_another(cast: Cast, olga: Client) -> None:
    make_draft(cast)
    for name in ("home", "approvals", "rooms", "agents", "costs"):
        html = olga.get(reverse(name)).content.decode()
        for word in ("Lounge", "Ada", "plants"):
            assert word not in html


def test_somebody_elses_token_is_not_ended(cast: Cast, olga: Client) -> None:
    token, _ = make_api_token(user=cast.root, name="mine", scopes=["read"])
    assert olga.post(reverse("token_end", args=[token.pk])).status_code == 404
    assert ApiToken.objects.get().revoked_at is None
