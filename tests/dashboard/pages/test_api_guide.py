from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.identity.services.tokens import make_api_token
from dashboard.api.urls import api
from dashboard.presenters.endpoints import EndpointShown, FieldShown, show_subjects
from tests.cast import Cast

SHELL = re.compile(r"export GREENROOM=(\S+)")


def endpoint(anchor: str) -> EndpointShown:
    found = [one for subject in show_subjects() for one in subject.endpoints]
    return next(one for one in found if one.anchor == anchor)


def field(anchor: str, name: str) -> FieldShown:
    one = endpoint(anchor)
    return next(each for each in [*one.parameters, *one.body, *one.answer] if each.name == name)


def test_every_operation_of_the_api_is_on_the_page(cast: Cast, root: Client) -> None:
    html = unescape(root.get(reverse("api_guide")).content.decode())
    described = api.get_openapi_schema(path_prefix="")["paths"]
    assert len(described) > 15
    for path, operations in described.items():
        for method, operation in operations.items():
            row = f'>{method.upper()}</span><code class="endpoint-path">{path}</code>'
            assert row in html
            assert operation["description"] in html


def test_every_place_on_the_page_is_there_once(cast: Cast, root: Client) -> None:
    html = root.get(reverse("api_guide")).content.decode()
    places = re.findall(r'\sid="([^"]+)"', html)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(places)
    assert set(re.findall(r'data-copy="([^"]+)"', html)) <= set(places)


def test_the_first_line_works_as_it_is_written(cast: Cast, root: Client, client: Client) -> None:
    html = root.get(reverse("api_guide"), HTTP_HOST="localhost:8123").content.decode()
    found = SHELL.search(html)
    assert found is not None
    assert found[1] == "http://localhost:8123/api/v1"
    assert 'curl "$GREENROOM/agents"' in html
    _, token = make_api_token(user=cast.root, name="guide", scopes=["read"])
    path = found[1].removeprefix("http://localhost:8123")
    answer = client.get(f"{path}/agents", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 200


def test_settings_lead_to_the_guide_and_the_guide_to_the_description(
    cast: Cast, root: Client
) -> None:
    guide = reverse("api_guide")
    assert (
        f'<a href="{guide}">How to use the API</a>'
        in root.get(reverse("settings")).content.decode()
    )
    assert reverse("api:openapi-json") in root.get(guide).content.decode()


def test_who_may_have_no_token_gets_no_guide(cast: Cast, sam: Client) -> None:
    assert sam.get(reverse("api_guide")).status_code == 404
    assert "How to use the API" not in sam.get(reverse("settings")).content.decode()


@pytest.mark.parametrize(
    ("anchor", "name", "kind", "limits"),
    [
        ("get-rooms", "limit", "number", "1 to 100, 50 if left out"),
        ("post-rooms", "name", "text", "at most 120 characters"),
        ("post-rooms", "visibility", "one of public, private", "private if left out"),
        ("post-drafts-bulk-action", "draftIds", "list of numbers", "1 to 25 of them"),
        ("post-drafts-bulk-action", "action", "one of approve, reject", ""),
        ("post-drafts-bulk-action", "results[].ok", "yes or no", ""),
        ("post-agents-agentid-suspend", "until", "time", ""),
        ("get-rooms-roomid-messages", "items[].author.name", "text", ""),
        ("get-rooms-roomid-messages", "items[].replyToId", "number or null", ""),
    ],
)
def test_types_and_limits_are_said_in_plain_words(
    anchor: str, name: str, kind: str, limits: str
) -> None:
    shown = field(anchor, name)
    assert (shown.kind, shown.limits) == (kind, limits)


@pytest.mark.parametrize(
    ("anchor", "end"),
    [
        ("get-rooms-roomid", '"$GREENROOM/rooms/ROOM_ID" -H "Authorization: Bearer $TOKEN"'),
        ("post-agents", '{"workspaceId": WORKSPACE_ID, "name": "NAME", "sentence": "SENTENCE"}\''),
        ("patch-rooms-roomid", '{"name": "NAME"}\''),
        ("post-drafts-draftid-approve", "--json '{}'"),
        ("post-drafts-bulk-action", '{"draftIds": [DRAFT_IDS], "action": "approve"}\''),
    ],
)
def test_a_line_to_try_asks_for_what_is_needed(anchor: str, end: str) -> None:
    assert endpoint(anchor).curl.endswith(end)


def test_the_description_is_read_once() -> None:
    assert show_subjects() is show_subjects()
