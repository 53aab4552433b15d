from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, propose
from agentapp.events.models import IdempotencyRecord
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import User
from agentapp.identity.services.tokens import make_api_token, revoke_api_token
from tests.cast import Cast, make_message


@pytest.fixture
def client(cast: Cast) -> Client:
    _, token = make_api_token(user=cast.root, name="script", scopes=["read", "write", "approve"])
    return Client(headers={"Authorization": f"Bearer {token}"})


def waiting(cast: Cast, text: str = "A thought.", kind: str = "post") -> Draft:
    return propose(
        Wish(turn=None, agent_id=cast.ada.pk, kind=kind, room_id=cast.lounge.pk, text=text)
    )


def post(client: Client, path: str, body: object = None, **headers: str) -> object:
    return client.post(
        f"/api/v1{path}", json.dumps(body or {}), content_type="application/json", headers=headers
    )


def test_a_draft_is_read_edited_approved_undone_and_approved(client: Client, cast: Cast) -> None:
    draft = waiting(cast)
    shown = client.get(f"/api/v1/drafts/{draft.pk}").json()
    assert (shown["type"], shown["status"], shown["agentId"]) == ("post", "pending", cast.ada.pk)

    edited = client.patch(
        f"/api/v1/drafts/{draft.pk}",
        json.dumps({"content": "A better thought.", "version": shown["version"]}),
        content_type="application/json",
    )
    assert edited.json()["content"] == "A better thought."
    stale = post(client, f"/drafts/{draft.pk}/approve", {"version": shown["version"]})
    assert stale.status_code == 409  # type: ignore[attr-defined]

    approved = post(client, f"/drafts/{draft.pk}/approve", {"edits": "The best thought."})
    assert approved.json()["status"] == "approved"  # type: ignore[attr-defined]
    undone = post(client, f"/drafts/{draft.pk}/undo")
    assert undone.json()["status"] == "pending"  # type: ignore[attr-defined]
    post(client, f"/drafts/{draft.pk}/approve")
    assert Outbound.objects.get().text == "The best thought."


def test_drafts_are_listed_by_type_and_status_in_pages(client: Client, cast: Cast) -> None:
    posts = [waiting(cast, f"Post {n}") for n in range(3)]
    waiting(cast, "Reply", kind="message")
    post(client, f"/drafts/{posts[0].pk}/reject", {"reason": "not now"})

    path = f"/api/v1/agents/{cast.ada.pk}/drafts?type=post"
    first = client.get(f"{path}&limit=2").json()
    waiting(cast, "arrives while somebody pages")
    second = client.get(f"{path}&limit=2&cursor={first['next']}").json()
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == [draft.pk for draft in reversed(posts)]
    assert second["next"] is None

    (rejected,) = client.get(f"{path}&status=rejected").json()["items"]
    assert (rejected["id"], rejected["reason"]) == (posts[0].pk, "not now")
    assert client.get(f"{path}&cursor=forged").status_code == 422
    assert client.get(f"{path}&limit=1000").status_code == 422


def test_more_than_twenty_five_at_once_are_refused(client: Client, cast: Cast) -> None:
    answer = post(
        client, "/drafts/bulk-action", {"draftIds": list(range(1, 27)), "action": "approve"}
    )
    assert answer.status_code == 422  # type: ignore[attr-defined]


def test_a_repeated_request_happens_once_and_is_answered_alike(client: Client, cast: Cast) -> None:
    path = f"/rooms/{cast.lounge.pk}/messages"
    first = post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k1"})
    again = post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k1"})
    other = post(client, path, {"text": "Twice"}, **{"Idempotency-Key": "k1"})

    assert first.status_code == again.status_code == 201  # type: ignore[attr-defined]
    assert first.json() == again.json()  # type: ignore[attr-defined]
    assert again["Idempotent-Replayed"] == "true"  # type: ignore[index]
    assert other.status_code == 422  # type: ignore[attr-defined]
    assert Message.objects.filter(room=cast.lounge).count() == 1


def test_a_request_that_is_still_running_is_not_run_again(client: Client, cast: Cast) -> None:
    path = f"/rooms/{cast.lounge.pk}/messages"
    post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k2"})
    IdempotencyRecord.objects.update(status=None, body=None)

    again = post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k2"})

    assert again.status_code == 409  # type: ignore[attr-defined]


def test_a_request_whose_process_died_is_run_again_after_a_minute_and_happened_once(
    client: Client, cast: Cast
) -> None:
    path = f"/rooms/{cast.lounge.pk}/messages"
    post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k3"})
    a_minute_ago = GreenroomNow() - timedelta(seconds=61)
    IdempotencyRecord.objects.update(status=None, body=None, created_at=a_minute_ago)

    again = post(client, path, {"text": "Once"}, **{"Idempotency-Key": "k3"})

    assert again.status_code == 201  # type: ignore[attr-defined]
    assert Message.objects.filter(room=cast.lounge).count() == 1


def test_a_revoked_token_is_dead_at_once(cast: Cast) -> None:
    row, token = make_api_token(user=cast.root, name="old", scopes=["read"])
    client = Client(headers={"Authorization": f"Bearer {token}"})
    assert client.get("/api/v1/rooms").status_code == 200

    revoke_api_token(token_id=row.pk, by=cast.root)

    assert client.get("/api/v1/rooms").status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"not json", b'{"text": 1}', b'{"text": "x", "unknown": 1}', b'{"text": ""}']
)
def test_bad_bodies_get_a_clear_error(client: Client, cast: Cast, body: bytes) -> None:
    answer = client.post(
        f"/api/v1/rooms/{cast.lounge.pk}/messages", body, content_type="application/json"
    )
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"


def test_hostile_text_is_taken_in(client: Client, cast: Cast) -> None:
    answer = post(client, f"/rooms/{cast.lounge.pk}/messages", {"text": "a\x00b\u202ec"})
    assert answer.status_code == 201  # type: ignore[attr-defined]
    assert answer.json()["text"] == "abc"  # type: ignore[attr-defined]
    half = post(client, f"/rooms/{cast.lounge.pk}/messages", {"text": "half \ud800 a pair"})
    assert half.status_code == 201, half.content  # type: ignore[attr-defined]
    assert half.json()["text"] == "half \ufffd a pair"  # type: ignore[attr-defined]


def test_hostile_edits_are_taken_in(client: Client, cast: Cast) -> None:
    draft = waiting(cast)
    path = f"/api/v1/drafts/{draft.pk}"
    body = json.dumps({"content": "a\x00b \ud800 c"})

    assert client.patch(path, body, content_type="application/json").status_code == 200

    draft.refresh_from_db()
    assert draft.text == "ab \ufffd c"


def test_hostile_edits_of_many_are_taken_in(client: Client, cast: Cast) -> None:
    draft = waiting(cast)
    body = {
        "draftIds": [draft.pk],
        "action": "approve",
        "edits": {str(draft.pk): "a\x00b \ud800 c"},
    }

    assert post(client, "/drafts/bulk-action", body).status_code == 200  # type: ignore[attr-defined]

    assert Outbound.objects.get().text == "ab \ufffd c"


def test_a_hostile_spec_is_stored(client: Client, cast: Cast) -> None:
    spec = {"instructions": "Be \ud800 kind\x00.", "interests": ["a\x00b"]}
    body = {"workspaceId": cast.workspace.pk, "name": "Cleo \udfff", "spec": spec}

    answer = post(client, "/agents", body)

    assert answer.status_code == 201, answer.content  # type: ignore[attr-defined]
    assert answer.json()["name"] == "Cleo \ufffd"  # type: ignore[attr-defined]


def test_the_cost_of_a_page_does_not_grow(
    client: Client, cast: Cast, django_assert_max_num_queries: object
) -> None:
    for n in range(30):
        make_message(cast, cast.sam, f"chat {n}")
    User.objects.get(pk=cast.root.pk)
    for limit in (1, 30):
        with django_assert_max_num_queries(12):  # type: ignore[operator]
            page = client.get(f"/api/v1/rooms/{cast.lounge.pk}/messages?limit={limit}")
        assert len(page.json()["items"]) == limit
