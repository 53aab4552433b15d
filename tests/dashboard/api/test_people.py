"""People over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agentapp.identity.services.tokens import make_api_token
from agentapp.memory.models import Memory
from tests.cast import Cast
from tests.dashboard.remembering import leaves, make_memory


@pytest.fixture
def owner(cast: Cast) -> Client:
    _, token = make_api_token(user=cast.root, name="test", scopes=["read", "write"])
    return Client(headers={"Authorization": f"Bearer {token}"})


def send(client: Client, method: str, path: str, body: object = None) -> Any:
    call = getattr(client, method)
    return call(f"/api/v1{path}", data=body, content_type="application/json")


def test_what_is_remembered_can_be_read_corrected_deleted_and_restored(
    cast: Cast, owner: Client
) -> None:
    memory = make_memory(cast, cast.sam)
    (person,) = send(owner, "get", "/people?q=sam").json()["items"]
    (found,) = send(owner, "get", f"/people/{person['id']}/memories").json()["items"]
    assert (found["id"], found["sourceMessageId"]) == (memory.pk, memory.source_message_id)

    said = send(owner, "patch", f"/memories/{memory.pk}", {"text": "I have\x00 two dogs."})
    assert (said.status_code, said.json()["text"]) == (200, "I have two dogs.")
    assert send(owner, "patch", f"/memories/{memory.pk}", {"text": " "}).status_code == 422
    assert send(owner, "delete", f"/memories/{memory.pk}").status_code == 204
    assert send(owner, "patch", f"/memories/{memory.pk}", {"text": "No."}).status_code == 409
    restored = send(owner, "post", f"/memories/{memory.pk}/restore", {})
    assert restored.json()["deletedAt"] is None


def test_a_person_is_exported_forgotten_and_left_out(cast: Cast, owner: Client) -> None:
    person = make_memory(cast, cast.sam).person_id
    held = send(owner, "get", f"/people/{person}/export").json()
    assert held["memories"][0]["text"] == "I have two cats."

    never = send(owner, "post", f"/people/{person}/never-remember", {"on": True})
    receipt = send(owner, "post", f"/people/{person}/forget", {})

    assert never.json()["neverRemember"] is True
    (gone,) = receipt.json()["gone"]
    assert gone == {"agentId": cast.ada.pk, "memories": 1, "facts": 0, "summaries": 0}
    assert receipt.json()["remains"]
    assert not Memory.objects.exists()
    assert send(owner, "get", f"/people/{person}").status_code == 404


def test_servers_that_somebody_left_are_named(cast: Cast, owner: Client) -> None:
    person = make_memory(cast, cast.sam).person_id
    assert send(owner, "get", f"/people/{person}").json()["left"] == []
    leaves(cast, cast.sam, "Pond")
    (listed,) = send(owner, "get", "/people?q=sam").json()["items"]
    assert [each["where"] for each in listed["left"]] == ["Pond"]
    assert send(owner, "get", f"/people/{person}").json() == listed
