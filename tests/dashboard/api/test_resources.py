"""Agents, rooms, messages and decisions over the API, as a script uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from agentapp.identity.models import Agent, BlueprintVersion, Seat
from agentapp.identity.services.tenancy import give_seat
from agentapp.identity.services.tokens import make_api_token
from agentapp.identity.templates import TEMPLATES
from agentapp.safety.models import SafetyState
from agentapp.turns import services as turns
from agentapp.turns.rules import Reason, Weight
from tests.cast import Cast, make_message, make_user

SPEC = {"instructions": "You keep bees.", "interests": ["bees"]}


class Script:
    """A caller with a token; every answer must be JSON."""

    def __init__(self, token: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def __call__(
        self, method: str, path: str, body: object = None, *, status: int = 200, key: str = ""
    ) -> dict[str, Any]:
        answer = self._client.generic(
            method,
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"Idempotency-Key": key} if key else {},
        )
        assert answer.status_code == status, answer.content
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def script(cast: Cast) -> Script:
    _, token = make_api_token(user=cast.root, name="script", scopes=["read", "write", "approve"])
    return Script(token)


def test_an_agent_is_made_changed_and_paused(script: Script, cast: Cast) -> None:
    made = script(
        "POST",
        "/agents",
        {"workspaceId": cast.workspace.pk, "name": "Cleo", "spec": SPEC},
        status=201,
    )
    assert (made["name"], made["version"], made["spec"]["interests"]) == ("Cleo", 1, ["bees"])
    path = f"/agents/{made['id']}"

    changed = script("PATCH", path, {"spec": SPEC | {"interests": ["honey"]}, "name": "Cléo"})
    assert (changed["name"], changed["version"]) == ("Cléo", 2)
    assert BlueprintVersion.objects.get(pk=Agent.objects.get(pk=made["id"]).version_id).n == 2

    assert script("POST", f"{path}/pause")["status"] == "paused"
    assert script("POST", f"{path}/resume")["status"] in {"trial", "live"}


@pytest.mark.parametrize(
    "how", [{"template": TEMPLATES[0].code}, {"sentence": "A calm gardener who loves herbs."}]
)
def test_an_agent_is_made_from_little(script: Script, cast: Cast, how: dict[str, str]) -> None:
    body = {"workspaceId": cast.workspace.pk, "name": "Cleo", **how}
    assert script("POST", "/agents", body, status=201)["spec"]["instructions"]


def test_what_cannot_be_made_says_why_and_leaves_nothing(script: Script, cast: Cast) -> None:
    before = Agent.objects.count()
    where = {"workspaceId": cast.workspace.pk, "name": "Cleo"}
    nothing = script("POST", "/agents", where, status=422)
    assert "template" in nothing["detail"]
    script("POST", "/agents", where | {"template": "dragon"}, status=422)
    script("POST", "/agents", where | {"colour": "red"}, status=422)
    script("POST", "/agents", where | {"workspaceId": cast.elsewhere.pk}, status=404)
    assert Agent.objects.count() == before


def test_a_change_is_made_whole_or_not_at_all(script: Script, cast: Cast) -> None:
    script("PATCH", f"/agents/{cast.bo.pk}", {"spec": SPEC, "name": "\u200b"}, status=422)
    script("PATCH", f"/rooms/{cast.lounge.pk}", {"dial": "silent", "name": " "}, status=422)
    cast.bo.refresh_from_db()
    cast.lounge.refresh_from_db()
    assert (cast.bo.version.n, cast.lounge.dial) == (1, "asked")


def test_only_a_moderator_suspends(script: Script, cast: Cast) -> None:
    mona = make_user("mona")
    give_seat(user=mona, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    _, token = make_api_token(user=mona, name="moderation", scopes=["read", "write"])
    moderator, path = Script(token), f"/agents/{cast.bo.pk}"

    moderator("POST", f"{path}/suspend", {"reason": "Too loud."})
    assert SafetyState.objects.get(agent=cast.bo).is_stopped
    moderator("POST", f"{path}/suspend", {}, status=409)
    moderator("POST", f"{path}/lift")
    assert not SafetyState.objects.get(agent=cast.bo).is_stopped
    moderator("POST", f"{path}/pause", status=403)


def test_a_room_is_opened_and_talked_in(script: Script, cast: Cast) -> None:
    room = script("POST", "/rooms", {"workspaceId": cast.workspace.pk, "name": "Attic"}, status=201)
    assert (room["visibility"], room["replyMode"]) == ("private", "own")
    path = f"/rooms/{room['id']}"
    changed = script("PATCH", path, {"dial": "joins", "replyMode": "approve", "name": "Loft"})
    assert (changed["dial"], changed["replyMode"], changed["name"]) == ("joins", "approve", "Loft")

    first = script("POST", f"{path}/messages", {"text": "Hello."}, status=201, key="k1")
    again = script("POST", f"{path}/messages", {"text": "Hello."}, status=201, key="k1")
    assert again["id"] == first["id"]
    reply = script(
        "POST", f"{path}/messages", {"text": "Well?", "replyToId": first["id"]}, status=201
    )
    assert reply["replyToId"] == first["id"]
    script("POST", f"{path}/messages", {"text": "\u2060"}, status=422)
    script("POST", f"{path}/messages", {"text": "?", "replyToId": 10**12}, status=404)


def test_pages_of_messages_neither_repeat_nor_skip(script: Script, cast: Cast) -> None:
    said = [make_message(cast, cast.sam, f"Message {n}").pk for n in range(7)]
    path = f"/rooms/{cast.lounge.pk}/messages?limit=3"
    seen, cursor = [], ""
    while cursor is not None:
        answer = script("GET", f"{path}&cursor={cursor}")
        seen += [each["id"] for each in answer["items"]]
        cursor = answer["next"]
        make_message(cast, cast.sam, "Somebody talks while we page.")
    assert seen == said[::-1]


def test_a_decision_is_explained(script: Script, cast: Cast) -> None:
    message = make_message(cast, cast.sam, "Bo?")
    (turn,) = turns.start(
        [
            turns.Decided(
                workspace_id=cast.workspace.pk,
                agent_id=cast.bo.pk,
                room_id=cast.lounge.pk,
                trigger_id=message.pk,
                decision="respond",
                reasons=(Reason(Weight.YES, "addressed", "It was named."),),
                addressed=True,
            )
        ]
    )
    (line,) = script("GET", f"/agents/{cast.bo.pk}/turns")["items"]
    assert (line["id"], line["decision"]) == (turn.pk, "respond")
    shown = script("GET", f"/turns/{turn.pk}")
    assert shown["triggerId"] == message.pk
    assert "It was named." in json.dumps(shown["reasons"])
