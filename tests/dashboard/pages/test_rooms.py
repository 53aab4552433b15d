from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.identity.models import Room, RoomLink
from agentapp.identity.services.agents import create_agent
from agentapp.presence.queries import present
from tests.cast import SPEC, Cast, make_message
from tests.dashboard.pages.world import AS_SCRIPT, make_draft


def say(browser: Client, room: Room, text: str, **fields: object) -> int:
    address = reverse("room_say", args=[room.pk])
    return browser.post(address, {"text": text, **fields}, **AS_SCRIPT).status_code


def talk(browser: Client, room: Room) -> str:
    return browser.get(reverse("room_messages", args=[room.pk])).content.decode()


def test_what_a_member_writes_stands_in_the_room(cast: Cast, sam: Client, root: Client) -> None:
    assert say(sam, cast.lounge, "Good **morning**") == 204
    assert "Good <strong>morning</strong>" in talk(root, cast.lounge)


def test_the_same_key_is_the_same_message(cast: Cast, sam: Client) -> None:
    for _ in range(2):
        say(sam, cast.lounge, "Once", client_key="k1")
    assert Message.objects.filter(text="Once").count() == 1


@pytest.mark.parametrize("nothing", [" ", "\u200b\u2060", "\u2800"])
def test_an_empty_message_is_refused_in_words(cast: Cast, sam: Client, nothing: str) -> None:
    answer = sam.post(reverse("room_say", args=[cast.lounge.pk]), {"text": nothing}, **AS_SCRIPT)
    assert answer.status_code == 422
    assert "Write something first." in answer["HX-Trigger"]


def test_writing_works_without_script(cast: Cast, sam: Client) -> None:
    address = reverse("room", args=[cast.lounge.pk])
    answer = sam.post(
        reverse("room_say", args=[cast.lounge.pk]),
        {"text": "Plain form"},
        HTTP_REFERER=f"http://testserver{address}",
    )
    assert answer["Location"].endswith(address)
    assert "Plain form" in talk(sam, cast.lounge)


def test_a_form_never_leads_to_another_site(cast: Cast, sam: Client) -> None:
    answer = sam.post(
        reverse("room_say", args=[cast.lounge.pk]),
        {"text": "Hello"},
        HTTP_REFERER="https://evil.example/",
    )
    assert answer["Location"] == reverse("rooms")


def test_a_reply_quotes_what_it_answers(cast: Cast, sam: Client) -> None:
    asked = make_message(cast, cast.mallory, "Tea or coffee?")
    say(sam, cast.lounge, "Tea", reply_to=asked.pk)
    assert f'href="#message-{asked.pk}"' in talk(sam, cast.lounge)


def test_a_reaction_comes_and_goes(cast: Cast, sam: Client) -> None:
    message = make_message(cast, cast.mallory, "Cake!")
    address = reverse("message_react", args=[message.pk])
    sam.post(address, {"emoji": "👍", "present": "1"}, **AS_SCRIPT)
    assert 'aria-pressed="true"' in talk(sam, cast.lounge)
    sam.post(address, {"emoji": "👍", "present": "0"}, **AS_SCRIPT)
    assert "aria-pressed" not in talk(sam, cast.lounge)


def test_an_author_edits_and_deletes(cast: Cast, sam: Client) -> None:
    say(sam, cast.lounge, "Frist")
    message = Message.objects.get(text="Frist")
    edit = reverse("message_edit", args=[message.pk])
    assert "Frist" in sam.get(edit, **AS_SCRIPT).content.decode()
    assert "edited" in sam.post(edit, {"text": "First"}, **AS_SCRIPT).content.decode()
    sam.post(reverse("message_delete", args=[message.pk]), **AS_SCRIPT)
    assert "First" not in talk(sam, cast.lounge)


def test_an_empty_edit_keeps_the_field_open(cast: Cast, sam: Client) -> None:
    say(sam, cast.lounge, "Keep me")
    message = Message.objects.get(text="Keep me")
    answer = sam.post(reverse("message_edit", args=[message.pk]), {"text": ""}, **AS_SCRIPT)
    assert answer.status_code == 422
    assert "<textarea" in answer.content.decode()


def test_nobody_edits_or_deletes_for_somebody_else(cast: Cast, sam: Client) -> None:
    message = make_message(cast, cast.mallory, "Mine")
    for action, fields in (("message_edit", {"text": "Yours"}), ("message_delete", {})):
        assert sam.post(reverse(action, args=[message.pk]), fields, **AS_SCRIPT).status_code == 403
    message.refresh_from_db()
    assert (message.text, message.deleted_at) == ("Mine", None)


def test_earlier_messages_come_page_by_page(cast: Cast, sam: Client) -> None:
    for n in range(60):
        make_message(cast, cast.mallory, f"number {n:02}")
    html = talk(sam, cast.lounge)
    assert "number 10" in html
    assert "number 09" not in html
    first = Message.objects.get(text="number 10").pk
    earlier = sam.get(reverse("room_messages", args=[cast.lounge.pk]), {"before": first})
    assert "number 09" in earlier.content.decode()
    assert "Show earlier" not in earlier.content.decode()


def test_a_bad_place_in_the_talk_is_not_found(cast: Cast, sam: Client) -> None:
    address = reverse("room_messages", args=[cast.lounge.pk])
    assert sam.get(address, {"before": "x"}).status_code == 404
    assert "data-key" not in sam.get(address, {"before": "0"}).content.decode()
    assert sam.get(address, {"before": "9" * 40}).status_code == 200


def test_an_owner_makes_a_room_with_agents(cast: Cast, root: Client) -> None:
    answer = root.post(
        reverse("room_new"),
        {"name": "Garden", "visibility": "private", "agents": [cast.ada.pk]},
    )
    room = Room.objects.get(name="Garden")
    assert answer["Location"] == reverse("room", args=[room.pk])
    assert [seat.agent for seat in present(room_id=room.pk)] == [cast.ada]


@pytest.mark.parametrize("name", ["", "\x00", "x" * 200])
def test_a_room_without_a_usable_name_is_not_made(cast: Cast, root: Client, name: str) -> None:
    answer = root.post(reverse("room_new"), {"name": name, "visibility": "private"})
    assert answer.status_code == 422
    assert Room.objects.count() == 1


def rename(browser: Client, room: Room, name: str, **script: str) -> HttpResponse:
    answer = browser.post(reverse("room_name", args=[room.pk]), {"name": name}, **script)
    room.refresh_from_db()
    return answer


def test_an_owner_renames_a_room_and_sees_it_at_once(cast: Cast, root: Client) -> None:
    answer = rename(root, cast.lounge, "Winter <garden>", **AS_SCRIPT)
    assert cast.lounge.name == "Winter <garden>"
    assert "The room is called Winter <garden> now." in answer["HX-Trigger"]
    html = answer.content.decode()
    assert 'data-version="Winter &lt;garden&gt;"' in html
    assert re.search(r'hx-swap-oob="true".*<h1><bdi>Winter &lt;garden&gt;</bdi></h1>', html, re.S)


def test_the_refreshed_side_brings_the_new_name_to_other_pages(
    cast: Cast, root: Client, sam: Client
) -> None:
    rename(root, cast.lounge, "Garden", **AS_SCRIPT)
    html = sam.get(reverse("room_side", args=[cast.lounge.pk]), **AS_SCRIPT).content.decode()
    assert re.search(r'id="room-head-words" hx-swap-oob="true">.*Garden', html, re.S)


def test_renaming_works_without_script(cast: Cast, root: Client) -> None:
    assert rename(root, cast.lounge, "Garden").status_code == 302
    assert (
        "<h1><bdi>Garden</bdi></h1>"
        in root.get(reverse("room", args=[cast.lounge.pk])).content.decode()
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Give the room a name."),
        ("\u202e", "Give a name."),
        ("x" * 121, "At most 120 characters; these are 121."),
    ],
)
@pytest.mark.parametrize("script", [{}, AS_SCRIPT], ids=["plain", "script"])
def test_a_name_that_cannot_be_used_is_kept_in_the_field(
    cast: Cast, root: Client, name: str, words: str, script: dict[str, str]
) -> None:
    answer = rename(root, cast.lounge, name, **script)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert words in html
    assert "<details open>" in html
    assert not name or f'value="{name}"' in html
    assert cast.lounge.name == "Lounge"


def test_who_does_not_run_a_room_cannot_rename_it(cast: Cast, sam: Client, olga: Client) -> None:
    address = reverse("room", args=[cast.lounge.pk])
    assert "Rename this room" not in sam.get(address).content.decode()
    assert rename(sam, cast.lounge, "Mine", **AS_SCRIPT).status_code == 403
    assert rename(olga, cast.lounge, "Mine", **AS_SCRIPT).status_code == 404
    assert cast.lounge.name == "Lounge"


def test_the_dial_and_the_switch_are_kept(cast: Cast, root: Client) -> None:
    room = [cast.lounge.pk]
    root.post(reverse("room_dial", args=room), {"dial": "silent"}, **AS_SCRIPT)
    root.post(reverse("room_mode", args=room), {"mode": "approve"}, **AS_SCRIPT)
    cast.lounge.refresh_from_db()
    assert (cast.lounge.dial, cast.lounge.reply_mode) == ("silent", "approve")
    side = root.get(reverse("room_side", args=room)).content.decode()
    assert "waits in Approvals" in side


def test_the_side_tells_what_agents_wrote_of_late(cast: Cast, root: Client) -> None:
    side = reverse("room_side", args=[cast.lounge.pk])
    assert "Lately" not in root.get(side).content.decode()
    make_draft(cast)
    assert "Lately about 1 message and 0.21 ct a day." in root.get(side).content.decode()


def test_a_member_finds_no_switches_and_cannot_press_them(cast: Cast, sam: Client) -> None:
    room = [cast.lounge.pk]
    assert "How they behave" not in sam.get(reverse("room", args=room)).content.decode()
    for action, fields in (
        ("room_dial", {"dial": "silent"}),
        ("room_mode", {"mode": "approve"}),
        ("room_link", {}),
        ("room_links_end", {}),
        ("room_add_agent", {"agent": cast.ada.pk}),
    ):
        assert sam.post(reverse(action, args=room), fields, **AS_SCRIPT).status_code == 403
    cast.lounge.refresh_from_db()
    assert cast.lounge.dial == "asked"


def test_a_link_is_shown_once_and_can_be_ended(cast: Cast, root: Client) -> None:
    room = [cast.lounge.pk]
    html = root.post(reverse("room_link", args=room), **AS_SCRIPT).content.decode()
    assert "/join/" in html
    assert "/join/" not in root.get(reverse("room", args=room)).content.decode()
    root.post(reverse("room_links_end", args=room))
    assert not RoomLink.objects.filter(revoked_at__isnull=True).exists()


def test_an_agent_is_let_in_and_taken_out(cast: Cast, root: Client) -> None:
    third = create_agent(owner=cast.root, workspace=cast.workspace, name="Cleo", spec=SPEC)
    room = cast.lounge.pk
    root.post(reverse("room_add_agent", args=[room]), {"agent": third.pk})
    assert third in [seat.agent for seat in present(room_id=room)]
    root.post(reverse("room_remove_agent", args=[room, third.pk]))
    assert third not in [seat.agent for seat in present(room_id=room)]


def test_a_room_shows_how_many_drafts_of_it_wait(cast: Cast, root: Client, sam: Client) -> None:
    make_draft(cast)
    address = reverse("room", args=[cast.lounge.pk])
    assert "1 waits for you" in root.get(address).content.decode()
    assert "waits for you" not in sam.get(address).content.decode()


def test_a_message_offers_its_reasons_to_owners_only(cast: Cast, root: Client, sam: Client) -> None:
    draft = make_draft(cast)
    assert draft.turn is not None
    why = reverse("message_why", args=[draft.turn.trigger_id])
    html = root.get(why, **AS_SCRIPT).content.decode()
    for words in ("Sam mentioned Ada.", "small-model", "1,204", "waits for you", "Personality"):
        assert words in html
    assert "Sam mentioned Ada." not in sam.get(why, **AS_SCRIPT).content.decode()
    assert "Why?" not in talk(sam, cast.lounge)
