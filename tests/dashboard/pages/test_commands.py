"""Commands in web rooms: whose answer it is, who may ask, and what a link gives away."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.commands.clearing import REMEMBERED, expire_words
from agentapp.commands.models import CommandCall
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.foundation import clock
from agentapp.identity.models import Seat
from agentapp.identity.services.tenancy import give_seat
from agentapp.moderation.models import ModerationAction
from agentapp.relations.models import Quiet
from tests.cast import Cast
from tests.dashboard.pages.world import AS_SCRIPT
from tests.dashboard.remembering import make_memory


def say(browser: Client, cast: Cast, text: str, **more: object) -> int:
    address = reverse("room_say", args=[cast.lounge.pk])
    return browser.post(address, {"text": text} | more, **AS_SCRIPT).status_code


def asides(browser: Client, cast: Cast) -> str:
    return browser.get(reverse("room_asides", args=[cast.lounge.pk])).content.decode()


def test_an_answer_is_for_whoever_asked_and_for_nobody_else(
    cast: Cast, sam: Client, root: Client, olga: Client
) -> None:
    assert say(sam, cast, "/help") == 204
    call = CommandCall.objects.get()
    assert "run by root" in asides(sam, cast)
    assert "run by root" not in asides(root, cast)
    dismiss, room = reverse("aside_dismiss", args=[call.pk]), reverse("room", args=[cast.lounge.pk])
    assert olga.get(reverse("room_asides", args=[cast.lounge.pk])).status_code == 404
    for other in (root, olga):
        assert other.post(dismiss, **AS_SCRIPT).status_code == 404
    assert sam.get(dismiss).status_code == 405
    assert "Only you see this" in sam.get(room).content.decode()
    assert "run by root" not in sam.post(dismiss, **AS_SCRIPT).content.decode()
    assert sam.post(dismiss, **AS_SCRIPT).status_code == 404
    call.refresh_from_db()
    assert call.words == ""


def test_the_same_form_again_asks_once(cast: Cast, sam: Client) -> None:
    for _ in range(3):
        assert say(sam, cast, "/quiet 2h", client_key="key") == 204
    assert CommandCall.objects.count() == Quiet.objects.count() == 1


def test_without_the_pages_script_it_leads_back_to_the_room(cast: Cast, sam: Client) -> None:
    address = reverse("room_say", args=[cast.lounge.pk])
    back = f"http://testserver{reverse('room', args=[cast.lounge.pk])}"
    answer = sam.post(address, {"text": "/stop"}, headers={"referer": back})
    assert (answer.status_code, answer["Location"]) == (302, back)


def test_only_who_looks_after_a_room_orders_there(cast: Cast, sam: Client, root: Client) -> None:
    say(sam, cast, "/mute Ada 1h")
    assert not ModerationAction.objects.exists()
    Message.objects.all().delete()  # to a member it was talk
    give_seat(user=cast.sam, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    assert "/mute" in sam.get(reverse("room", args=[cast.lounge.pk])).content.decode()
    assert say(sam, cast, "/mute Ada 1h") == 204
    assert ModerationAction.objects.get().agent == cast.ada
    assert not Message.objects.exists()
    assert Draft.objects.get().text.startswith("I am muted here")


def test_a_phrase_means_a_command_only_when_an_agent_is_addressed(cast: Cast, sam: Client) -> None:
    say(sam, cast, "leave me alone")
    say(sam, cast, "Mallory, leave me alone")
    assert Message.objects.count() == 2
    say(sam, cast, "Ada, leave me alone!")
    assert Message.objects.count() == 2
    assert "left alone" in asides(sam, cast)


def test_what_cannot_be_done_is_refused_in_words(cast: Cast, sam: Client) -> None:
    address = reverse("room_say", args=[cast.lounge.pk])
    answer = sam.post(address, {"text": "/why"}, **AS_SCRIPT)
    assert answer.status_code == 422
    assert "not written by one of the agents" in answer["HX-Trigger"]
    assert asides(sam, cast).strip() == ""
    assert not CommandCall.objects.exists()  # so that the same form may try again


@pytest.mark.parametrize("text", ["/ask " + "x" * 100_000, "/stop\0", "/\ud800", "/" * 5_000])
def test_hostile_words_are_talk(cast: Cast, sam: Client, text: str) -> None:
    say(sam, cast, text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert not CommandCall.objects.exclude(command="stop").exists()


def test_words_go_when_their_time_is_over(cast: Cast, sam: Client) -> None:
    say(sam, cast, "/help")
    assert expire_words() == 0
    CommandCall.objects.update(words_until=clock.now())
    assert [expire_words(), expire_words()] == [1, 0]
    CommandCall.objects.update(created_at=clock.now() - REMEMBERED)
    assert expire_words() == 1
    assert not CommandCall.objects.exists()


def test_forgetting_takes_earlier_answers_along(cast: Cast, sam: Client) -> None:
    say(sam, cast, "/mydata")
    say(sam, cast, "/forget")
    assert list(CommandCall.objects.exclude(words="").values_list("command", flat=True)) == [
        "forget"
    ]


def test_the_page_about_oneself_stops_and_starts_again(
    cast: Cast, sam: Client, root: Client
) -> None:
    mine = reverse("me", args=[cast.lounge.pk])
    remembered = make_memory(cast, cast.sam)
    for button, words in (("/stop", "answer me again"), ("/stop undo", "Leave me alone")):
        address = reverse("room_say", args=[cast.lounge.pk])
        back = sam.post(address, {"text": button}, headers={"referer": f"http://testserver{mine}"})
        assert back["Location"].endswith(mine)
        assert words in sam.get(mine).content.decode()
        if button == "/stop":
            person = reverse("person", args=[remembered.person_id])
            assert "asked to be left alone" in root.get(person).content.decode()
