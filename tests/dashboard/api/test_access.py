"""Every route and every kind of caller, read from the API's own description."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.identity.models import User
from agentapp.identity.services.tenancy import give_seat
from agentapp.identity.services.tokens import make_api_token
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn
from dashboard.api.urls import api
from tests.cast import Cast, make_message, make_user
from tests.dashboard.remembering import make_memory

# What each caller may get. yes: it works; no: 403; none: it looks as if it were not there.
YES, NO, NONE = "yes", "no", "none"
OWNER_ONLY = {"owner": YES, "admin": YES, "member": NONE, "stranger": NONE, "moderator": NONE}
MANAGES_AGENT = OWNER_ONLY | {"moderator": NO}
MODERATES = {"owner": YES, "admin": YES, "member": NONE, "stranger": NONE, "moderator": YES}
SEES_AGENT = MODERATES
SEES_ROOM = {"owner": YES, "admin": YES, "member": YES, "stranger": NONE, "moderator": YES}
MANAGES_ROOM = SEES_ROOM | {"member": NO, "moderator": NO}
LISTS = dict.fromkeys(("owner", "admin", "member", "stranger", "moderator"), YES)
CREATES = {"owner": YES, "admin": YES, "member": NO, "stranger": NONE, "moderator": NO}

RULES: dict[tuple[str, str], dict[str, str]] = {
    ("get", "/agents"): LISTS,
    ("post", "/agents"): CREATES,
    ("get", "/agents/{agentId}"): SEES_AGENT,
    ("patch", "/agents/{agentId}"): MANAGES_AGENT,
    ("post", "/agents/{agentId}/pause"): MANAGES_AGENT,
    ("post", "/agents/{agentId}/resume"): MANAGES_AGENT,
    ("post", "/agents/{agentId}/suspend"): MODERATES,
    ("post", "/agents/{agentId}/lift"): MODERATES,
    ("get", "/agents/{agentId}/turns"): SEES_AGENT,
    ("get", "/agents/{agentId}/drafts"): SEES_AGENT,
    ("get", "/turns/{turnId}"): OWNER_ONLY,
    ("get", "/people"): LISTS,
    ("get", "/people/{personId}"): OWNER_ONLY,
    ("get", "/people/{personId}/memories"): OWNER_ONLY,
    ("get", "/people/{personId}/export"): OWNER_ONLY,
    ("post", "/people/{personId}/forget"): OWNER_ONLY,
    ("post", "/people/{personId}/never-remember"): OWNER_ONLY,
    ("patch", "/memories/{memoryId}"): OWNER_ONLY,
    ("delete", "/memories/{memoryId}"): OWNER_ONLY,
    ("post", "/memories/{memoryId}/restore"): OWNER_ONLY,
    ("get", "/rooms"): LISTS,
    ("post", "/rooms"): CREATES,
    ("get", "/rooms/{roomId}"): SEES_ROOM,
    ("patch", "/rooms/{roomId}"): MANAGES_ROOM,
    ("get", "/rooms/{roomId}/messages"): SEES_ROOM,
    ("post", "/rooms/{roomId}/messages"): SEES_ROOM,
    ("post", "/drafts/bulk-action"): LISTS,
    ("get", "/drafts/{draftId}"): OWNER_ONLY,
    ("patch", "/drafts/{draftId}"): OWNER_ONLY,
    ("post", "/drafts/{draftId}/approve"): OWNER_ONLY,
    ("post", "/drafts/{draftId}/reject"): OWNER_ONLY,
    ("post", "/drafts/{draftId}/undo"): OWNER_ONLY,
    ("post", "/drafts/{draftId}/retract"): OWNER_ONLY,
}
CALLERS = ("owner", "admin", "member", "stranger", "moderator")


@dataclass
class World:
    cast: Cast
    callers: dict[str, User]
    draft: Draft
    turn: Turn
    memory: Memory

    def path(self, route: str) -> str:
        return "/api/v1" + route.format(
            agentId=self.cast.ada.pk,
            roomId=self.cast.lounge.pk,
            turnId=self.turn.pk,
            draftId=self.draft.pk,
            personId=self.memory.person_id,
            memoryId=self.memory.pk,
        )

    def body(self, method: str, route: str) -> dict[str, object]:
        workspace = {"workspaceId": self.cast.workspace.pk}
        bodies: dict[tuple[str, str], dict[str, object]] = {
            ("post", "/agents"): {**workspace, "name": "New", "sentence": "A calm gardener."},
            ("post", "/rooms"): {**workspace, "name": "New room"},
            ("post", "/rooms/{roomId}/messages"): {"text": "Hello"},
            ("patch", "/drafts/{draftId}"): {"content": "Changed"},
            ("patch", "/memories/{memoryId}"): {"text": "Changed"},
            ("post", "/people/{personId}/never-remember"): {"on": True},
            ("post", "/drafts/bulk-action"): {"draftIds": [self.draft.pk], "action": "reject"},
        }
        return bodies.get((method, route), {})


@pytest.fixture
def world(cast: Cast) -> World:
    moderator, admin = make_user("moderator"), make_user("boss")
    give_seat(user=moderator, workspace=cast.workspace, role="moderator")
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    admin.refresh_from_db()
    draft = propose(
        Wish(
            turn=None, agent_id=cast.ada.pk, kind="post", room_id=cast.lounge.pk, text="A thought."
        )
    )
    turn = Turn.objects.create(workspace=cast.workspace, agent=cast.ada, decision="ignore")
    make_message(cast, cast.sam, "Hi")
    callers = {
        "owner": cast.root,
        "admin": admin,
        "member": cast.sam,
        "stranger": cast.olga,
        "moderator": moderator,
    }
    return World(cast, callers, draft, turn, make_memory(cast, cast.sam))


def call(client: Client, world: World, method: str, route: str, **headers: str) -> int:
    response = getattr(client, method)(
        world.path(route),
        data=None if method == "get" else world.body(method, route),
        content_type="application/json",
        headers=headers,
    )
    assert response.status_code != 500
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"]
    return int(response.status_code)


def routes() -> set[tuple[str, str]]:
    paths = api.get_openapi_schema()["paths"]
    return {
        (method, path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
    }


def test_every_route_has_its_rule() -> None:
    assert routes() == set(RULES)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(("method", "route"), sorted(RULES))
def test_a_caller_gets_what_the_rule_says(world: World, who: str, method: str, route: str) -> None:
    client = Client()
    client.force_login(world.callers[who])

    status = call(client, world, method, route)

    expected = RULES[method, route][who]
    if expected == YES:
        assert status < 300 or status == 409  # a state may refuse what rights allow
    else:
        assert status == (403 if expected == NO else 404)


@pytest.mark.parametrize(("method", "route"), sorted(RULES))
def test_nobody_gets_in_without_a_login_or_with_a_weak_token(
    world: World, method: str, route: str
) -> None:
    _, weak = make_api_token(user=world.cast.root, name="weak", scopes=["read"])

    assert call(Client(), world, method, route) == 401
    assert call(Client(), world, method, route, Authorization="Bearer grm_nonsense") == 401
    status = call(Client(), world, method, route, Authorization=f"Bearer {weak}")
    assert (status < 300) if method == "get" else (status == 403)


def test_a_bulk_decision_leaves_others_drafts_alone(world: World) -> None:
    client = Client()
    client.force_login(world.cast.olga)
    response = client.post(
        "/api/v1/drafts/bulk-action",
        {"draftIds": [world.draft.pk], "action": "reject"},
        content_type="application/json",
    )

    assert [item["ok"] for item in response.json()["results"]] == [False]
    world.draft.refresh_from_db()
    assert world.draft.status == "pending"


def test_a_session_needs_the_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.root)

    assert call(client, world, "post", "/rooms/{roomId}/messages") == 403
    assert not Message.objects.filter(text="Hello").exists()
