from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.identity.models import Agent, Room, Seat
from agentapp.identity.services.tenancy import give_seat
from agentapp.identity.templates import TEMPLATES
from agentapp.moderation.queries import active_suspension
from tests.cast import Cast, make_message
from tests.dashboard.pages.conftest import Visit
from tests.dashboard.pages.world import make_draft, make_turn


def test_at_least_three_templates_are_offered(cast: Cast, root: Client) -> None:
    html = root.get(reverse("agent_new")).content.decode()
    assert sum(template.title in html for template in TEMPLATES) >= 3


@pytest.mark.parametrize(
    "fields",
    [{"template": TEMPLATES[0].code}, {"template": "", "sentence": "a gardener who loves roses"}],
)
def test_an_agent_is_made(cast: Cast, root: Client, fields: dict[str, str]) -> None:
    answer = root.post(reverse("agent_new"), {"name": "Rosa", **fields})
    made = Agent.objects.get(name="Rosa")
    assert answer["Location"] == reverse("agent", args=[made.pk])
    assert "Rosa is here" in root.get(answer["Location"]).content.decode()


def test_neither_template_nor_sentence_is_asked_for(cast: Cast, root: Client) -> None:
    answer = root.post(reverse("agent_new"), {"name": "Rosa", "template": "", "sentence": ""})
    assert answer.status_code == 422
    assert "Say in one sentence" in answer.content.decode()


def test_an_edit_makes_a_version_and_the_old_one_can_return(cast: Cast, root: Client) -> None:
    fields = {
        "name": "Ada L.",
        "instructions": "You are brisk.",
        "interests": "engines, tea",
        "temperature": "0.5",
        "max_tokens": "300",
    }
    root.post(reverse("agent_edit", args=[cast.ada.pk]), fields)
    cast.ada.refresh_from_db()
    assert (cast.ada.name, cast.ada.version.n) == ("Ada L.", 2)
    assert cast.ada.version.spec["interests"] == ["engines", "tea"]
    root.post(reverse("agent_pin", args=[cast.ada.pk, 1]))
    cast.ada.refresh_from_db()
    assert cast.ada.version.n == 1


def test_a_bad_edit_says_what_is_wrong(cast: Cast, root: Client) -> None:
    answer = root.post(
        reverse("agent_edit", args=[cast.ada.pk]),
        {"name": "Ada", "instructions": "", "temperature": "9", "max_tokens": "300"},
    )
    assert answer.status_code == 422
    assert answer.content.decode().count('class="error"') == 2


def test_pausing_shows_and_ends(cast: Cast, root: Client) -> None:
    page = reverse("agent", args=[cast.ada.pk])
    root.post(reverse("agent_pause", args=[cast.ada.pk]))
    assert "Paused" in root.get(page).content.decode()
    root.post(reverse("agent_resume", args=[cast.ada.pk]))
    assert "Awake" in root.get(page).content.decode()


def test_the_try_out_is_one_private_room_off_every_list(cast: Cast, root: Client) -> None:
    for _ in range(2):
        root.post(reverse("agent_talk", args=[cast.ada.pk]))
    room = Room.objects.get(is_tryout=True)
    assert room.kind == Room.Kind.DIRECT
    assert "Say something to Ada" in root.get(reverse("agent", args=[cast.ada.pk])).content.decode()
    assert room.name not in root.get(reverse("rooms")).content.decode()


def test_a_moderator_suspends_and_lifts(cast: Cast, visit: Visit) -> None:
    give_seat(user=cast.mallory, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    moderator = visit(cast.mallory)
    page = reverse("agent", args=[cast.ada.pk])
    moderator.post(
        reverse("agent_suspend", args=[cast.ada.pk]), {"hours": "24", "reason": "Too loud."}
    )
    action = active_suspension(cast.ada.pk)
    assert action is not None
    assert action.until is not None
    html = moderator.get(page).content.decode()
    assert "Suspended" in html
    assert "Too loud." in html
    moderator.post(reverse("agent_lift", args=[cast.ada.pk]))
    assert active_suspension(cast.ada.pk) is None


def test_a_moderator_reads_nothing_private(cast: Cast, visit: Visit) -> None:
    give_seat(user=cast.mallory, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    make_draft(cast, text="Only for the owner.")
    html = visit(cast.mallory).get(reverse("agent", args=[cast.ada.pk])).content.decode()
    assert "what about the plants" not in html
    assert "calm companion" not in html


def test_an_owner_who_does_not_moderate_cannot_suspend(cast: Cast, visit: Visit) -> None:
    Seat.objects.filter(user=cast.root, role=Seat.Role.MODERATOR).delete()
    owner = visit(cast.root)
    assert owner.post(reverse("agent_suspend", args=[cast.ada.pk])).status_code == 302
    assert active_suspension(cast.ada.pk) is None
    assert "Moderation" not in owner.get(reverse("agent", args=[cast.ada.pk])).content.decode()


def test_what_it_noticed_tells_of_silence_too(cast: Cast, root: Client) -> None:
    heard = make_message(cast, cast.sam, "Lovely weather")
    make_turn(cast, heard, decision="ignore")
    html = root.get(reverse("agent_noticed", args=[cast.ada.pk])).content.decode()
    assert "let it pass" in html
    assert "Lovely weather" in html


def test_a_face_is_the_same_everywhere(cast: Cast, root: Client) -> None:
    def faces(address: str) -> set[str]:
        html = root.get(address).content.decode()
        return {
            part.split("</svg>")[0].split('aria-hidden="true">')[1]
            for part in html.split('<svg class="avatar"')[1:]
        }

    make_draft(cast)
    known = faces(reverse("agents"))
    assert len(known) == 2
    for address in (reverse("approvals"), reverse("room", args=[cast.lounge.pk])):
        assert faces(address) <= known
