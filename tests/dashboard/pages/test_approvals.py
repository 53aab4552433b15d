from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation import clock
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, Room
from agentapp.identity.services.rooms import create_room
from agentapp.presence.services import add_agent
from agentapp.turns.models import Turn
from tests.cast import Cast, make_message
from tests.dashboard.pages.world import AS_SCRIPT, make_draft, make_turn, publish, seen


def card(browser: Client, draft: Draft, action: str = "draft", **fields: object) -> str:
    """Do something with a card as the page's script does; return the card as it is then."""
    address = reverse(action, args=[draft.pk])
    answer = browser.post(address, fields, **AS_SCRIPT)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_a_card_says_everything_that_a_decision_needs(cast: Cast, root: Client) -> None:
    make_message(cast, cast.mallory, "The ferns look thirsty.")
    make_draft(cast)
    html = root.get(reverse("approvals_cards")).content.decode()
    for words in (
        "Shall I water the plants?",
        "Lounge",
        "Everybody in Home can read this",
        "The ferns look thirsty.",
        "@Ada, what about the plants?",
        "Sam asked her by name.",
        "0.21 ct",
        "contains strangers",
        "goes stale",
        "wants to reply",
    ):
        assert words in html


def test_the_last_two_messages_stand_before_the_words(cast: Cast, root: Client) -> None:
    for text in ("one", "two"):
        make_message(cast, cast.mallory, f"message {text}")
    make_draft(cast)
    html = root.get(reverse("approvals_cards")).content.decode()
    assert "message one" not in html
    assert html.index("message two") < html.index("@Ada, what") < html.index("Shall I water")


def test_sending_releases_the_words_and_offers_undo(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    html = card(root, draft, "draft_send", **seen(draft))
    assert 'data-state="leaving"' in html
    assert "Undo" in html
    draft.refresh_from_db()
    assert draft.status == Draft.Status.APPROVED
    assert draft.decided_by == cast.root


def test_undo_brings_the_card_back(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    card(root, draft, "draft_send", **seen(draft))
    assert 'data-state="waits"' in card(root, draft, "draft_undo")
    assert not Outbound.objects.filter(draft=draft, state="queued").exists()


def test_undo_says_when_it_is_too_late(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    card(root, draft, "draft_send", **seen(draft))
    publish(draft)
    html = card(root, draft, "draft_undo")
    assert 'role="alert"' in html
    assert "Retract" in html


def test_words_that_changed_meanwhile_are_not_sent(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    old = seen(draft)
    root.post(reverse("draft_edit", args=[draft.pk]), {**old, "text": "New words.", "then": "keep"})
    html = card(root, draft, "draft_send", **old)
    assert 'role="alert"' in html
    assert "New words." in html
    draft.refresh_from_db()
    assert draft.status == Draft.Status.PENDING


def test_an_edit_is_sent_as_edited(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    assert "<textarea" in root.get(reverse("draft_edit", args=[draft.pk])).content.decode()
    html = card(root, draft, "draft_edit", **seen(draft, text="Shall I water them?", then="send"))
    assert 'data-state="leaving"' in html
    draft.refresh_from_db()
    assert (draft.text, draft.status) == ("Shall I water them?", Draft.Status.APPROVED)


def test_an_empty_edit_keeps_the_field_open_and_says_why(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    html = card(root, draft, "draft_edit", **seen(draft, text=" \x00 ", then="send"))
    assert "<textarea" in html
    assert 'role="alert"' in html


def test_skipping_keeps_the_reason(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    assert "Skipped" in card(root, draft, "draft_skip", chip="too_long")
    draft.refresh_from_db()
    assert (draft.status, draft.reason) == (Draft.Status.REJECTED, "Too long")


def test_a_snoozed_card_leaves_and_comes_back(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    assert "Snoozed" in card(root, draft, "draft_snooze", until="hour")
    assert "Shall I water" not in root.get(reverse("approvals_cards")).content.decode()
    with clock.shifted(timedelta(minutes=61)):
        Draft.objects.filter(pk=draft.pk).update(stale_at=None)
        assert "Shall I water" in root.get(reverse("approvals_cards")).content.decode()


def test_an_unknown_snooze_is_refused(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    answer = root.post(reverse("draft_snooze", args=[draft.pk]), {"until": "never"}, **AS_SCRIPT)
    assert answer.status_code == 422


def test_a_published_card_can_be_retracted(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    card(root, draft, "draft_send", **seen(draft))
    publish(draft)
    assert "Retract" in root.get(reverse("approvals_cards")).content.decode()
    card(root, draft, "draft_retract")
    assert Outbound.objects.filter(draft=draft, action=Outbound.Action.RETRACT).count() == 1


def test_one_press_lets_replies_in_a_room_go_out_unasked(cast: Cast, root: Client) -> None:
    identity.set_reply_mode(room_id=cast.lounge.pk, mode="approve", by=cast.root)
    Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={})
    make_draft(cast)
    assert ">Always<" in root.get(reverse("approvals_cards")).content.decode()
    answer = root.post(reverse("room_mode", args=[cast.lounge.pk]), {"mode": "own"}, **AS_SCRIPT)
    assert "on their own now" in answer["HX-Trigger"]
    assert ">Always<" not in root.get(reverse("approvals_cards")).content.decode()


def test_always_is_not_offered_where_the_agent_itself_must_ask(cast: Cast, root: Client) -> None:
    identity.set_reply_mode(room_id=cast.lounge.pk, mode="approve", by=cast.root)
    make_draft(cast)
    assert ">Always<" not in root.get(reverse("approvals_cards")).content.decode()


def test_every_action_works_without_script(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    answer = root.post(reverse("draft_send", args=[draft.pk]), seen(draft))
    assert answer["Location"] == reverse("approvals")
    stale = root.post(reverse("draft_send", args=[draft.pk]), seen(draft))
    assert stale.status_code == 409
    assert "<html" in stale.content.decode()


def test_private_words_show_after_a_tap(cast: Cast, root: Client) -> None:
    room = create_room(
        workspace=cast.workspace, name="Root", visibility="private", by=cast.root, kind="direct"
    )
    add_agent(room_id=room.pk, agent_id=cast.ada.pk, by=cast.root)
    draft = make_draft(cast, text="A secret.", room=Room.objects.get(pk=room.pk))
    assert "A secret." not in root.get(reverse("approvals_cards")).content.decode()
    assert "A secret." not in root.get(reverse("home")).content.decode()
    shown = root.get(reverse("draft", args=[draft.pk]), {"show": "1"}, **AS_SCRIPT)
    assert "A secret." in shown.content.decode()


def test_several_are_decided_at_once(cast: Cast, root: Client) -> None:
    drafts = [make_draft(cast, text=f"Words {n}") for n in range(3)]
    picked = [f"{one.pk}:{one.version}:{one.content_hash}" for one in drafts]
    root.post(reverse("drafts_bulk"), {"draft": picked, "action": "approve"})
    assert Draft.objects.filter(status=Draft.Status.APPROVED).count() == 3


def test_a_selected_card_that_changed_stays(cast: Cast, root: Client) -> None:
    draft = make_draft(cast)
    root.post(
        reverse("drafts_bulk"), {"draft": [f"{draft.pk}:1:another-hash"], "action": "approve"}
    )
    draft.refresh_from_db()
    assert draft.status == Draft.Status.PENDING


def test_somebody_elses_selection_does_nothing(cast: Cast, sam: Client, olga: Client) -> None:
    draft = make_draft(cast)
    picked = f"{draft.pk}:{draft.version}:{draft.content_hash}"
    for browser in (sam, olga):
        browser.post(reverse("drafts_bulk"), {"draft": [picked], "action": "approve"})
    draft.refresh_from_db()
    assert draft.status == Draft.Status.PENDING


def test_a_thought_under_way_shows_where_its_words_will_stream(cast: Cast, root: Client) -> None:
    message = make_message(cast, cast.sam, "@Ada hello")
    turn = make_turn(cast, message, status=Turn.Status.RUNNING)
    html = root.get(reverse("approvals_cards")).content.decode()
    assert f'data-tokens="turn:{turn.pk}"' in html


@pytest.mark.parametrize("query", ["", "?show=1"])
def test_text_in_a_card_is_never_markup(cast: Cast, root: Client, query: str) -> None:
    draft = make_draft(cast, text="<b onclick=x>hi</b> ![a](http://evil.example/a.png)")
    html = root.get(reverse("draft", args=[draft.pk]) + query, **AS_SCRIPT).content.decode()
    assert "<b onclick" not in html
    assert "<img" not in html
