from __future__ import annotations

from datetime import timedelta

import pytest

from agentapp.drafts import rules
from agentapp.drafts.errors import (
    DraftChanged,
    DraftNotPending,
    DraftStale,
    PendingLimitReached,
    TooLateToUndo,
    Unspeakable,
)
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.queries import counts, inbox, lessons
from agentapp.drafts.services import (
    Wish,
    approve,
    bulk,
    edit,
    expire_due,
    propose,
    reject,
    snooze,
    undo,
    warn_expiring,
    withdraw_stale,
)
from agentapp.events.models import Event
from agentapp.feedback.models import Feedback
from agentapp.foundation import clock
from agentapp.foundation.errors import Invalid, Refused
from agentapp.notifications.models import Notification
from agentapp.safety.models import Finding, PolicyRule
from agentapp.turns.models import Turn
from tests.cast import Cast, make_message


def ask(cast: Cast, text: str = "Shall I water the plants?", **fields: object) -> Draft:
    return propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            kind=str(fields.pop("kind", "message")),
            room_id=cast.lounge.pk,
            text=text,
            **fields,  # type: ignore[arg-type]
        )
    )


def send(cast: Cast, draft: Draft, **fields: object) -> Draft:
    return approve(
        draft_id=draft.pk,
        version=draft.version,
        content_hash=draft.content_hash,
        by=cast.root,
        **fields,  # type: ignore[arg-type]
    )


def events_of(draft: Draft) -> list[str]:
    return list(
        Event.objects.filter(subject_kind="draft", subject_id=str(draft.pk))
        .order_by("id")
        .values_list("type", flat=True)
    )


def test_a_draft_waits_for_its_owner_and_tells_them(cast: Cast) -> None:
    draft = ask(cast)

    assert draft.status == "pending"
    assert list(inbox(cast.root)) == [draft]
    assert not inbox(cast.olga).exists()
    assert not inbox(cast.sam).exists()
    assert Notification.objects.filter(user=cast.root, kind="draft.pending").count() == 1
    assert events_of(draft) == ["agent.draft.created"]
    assert draft.expires_at - draft.created_at == pytest.approx(
        timedelta(days=7), abs=timedelta(seconds=1)
    )


def test_an_approved_draft_is_queued_after_the_seconds_of_undo(cast: Cast) -> None:
    draft = send(cast, ask(cast))

    piece = Outbound.objects.get(draft=draft)
    wait = piece.not_before - clock.now()
    assert draft.status == "approved"
    assert timedelta(seconds=4) < wait <= timedelta(seconds=5)
    assert len(piece.dedupe_key) == 22
    assert "agent.draft.message.approved" in events_of(draft)


def test_a_second_decision_loses(cast: Cast) -> None:
    draft = ask(cast)
    send(cast, draft)

    with pytest.raises(DraftNotPending, match="Draft not found or not pending"):
        send(cast, draft)
    with pytest.raises(DraftNotPending):
        reject(draft_id=draft.pk, by=cast.root)

    assert Outbound.objects.filter(draft=draft).count() == 1


def test_only_the_text_that_was_seen_is_approved(cast: Cast) -> None:
    seen = ask(cast)
    edit(draft_id=seen.pk, version=1, text="Something else", by=cast.root)

    with pytest.raises(DraftChanged):
        send(cast, seen)
    with pytest.raises(DraftChanged):
        approve(draft_id=seen.pk, version=2, content_hash=seen.content_hash, by=cast.root)

    assert not Outbound.objects.filter(draft=seen).exists()


def test_an_edit_is_kept_as_a_revision_and_teaches(cast: Cast) -> None:
    draft = send(cast, ask(cast, "Shall I water them?"), edits="Shall I water the ferns?")

    assert [r.text for r in draft.revisions.order_by("n")] == [
        "Shall I water them?",
        "Shall I water the ferns?",
    ]
    assert Outbound.objects.get(draft=draft).text == "Shall I water the ferns?"
    Draft.objects.filter(pk=draft.pk).update(status="publishing")
    Draft.objects.filter(pk=draft.pk).update(status="published")
    (lesson,) = lessons(agent_id=cast.ada.pk, kind="message")
    assert (lesson.before, lesson.after) == ("Shall I water them?", "Shall I water the ferns?")


def test_undo_brings_it_back_and_a_new_approval_sends_it_once(cast: Cast) -> None:
    draft = send(cast, ask(cast))
    back = undo(draft_id=draft.pk, by=cast.root)

    assert back.status == "pending"
    assert back.version == draft.version + 1
    assert not Outbound.objects.filter(draft=draft).exists()

    send(cast, back)
    assert Outbound.objects.filter(draft=draft).count() == 1


def test_undo_is_refused_once_a_piece_was_claimed(cast: Cast) -> None:
    draft = send(cast, ask(cast))
    Outbound.objects.filter(draft=draft).update(state="publishing", attempts=1)

    with pytest.raises(TooLateToUndo):
        undo(draft_id=draft.pk, by=cast.root)

    draft.refresh_from_db()
    assert draft.status == "approved"
    assert Outbound.objects.filter(draft=draft).count() == 1


def test_a_rejection_is_final_and_counts_against_the_agent(cast: Cast) -> None:
    draft = reject(draft_id=ask(cast).pk, by=cast.root, chip="too long")

    reward = Feedback.objects.get(target_kind="draft", target_id=draft.pk)
    assert (reward.source, reward.value) == ("draft.rejected", -0.5)
    assert draft.reason == "too long"
    (lesson,) = lessons(agent_id=cast.ada.pk, kind="message")
    assert (lesson.after, lesson.why) == ("", "too long")


def test_the_fifty_first_draft_is_refused_and_the_owner_told_once(cast: Cast) -> None:
    for n in range(rules.MAX_PENDING_DRAFTS):
        ask(cast, f"Number {n}")

    for _ in range(2):
        with pytest.raises(PendingLimitReached, match="Maximum pending drafts reached"):
            ask(cast, "One more")

    assert Draft.objects.filter(agent=cast.ada).count() == rules.MAX_PENDING_DRAFTS
    assert Notification.objects.filter(kind="draft.limit").count() == 1


def test_the_cap_counts_all_kinds_together(cast: Cast) -> None:
    message = make_message(cast, cast.sam, "Look at this")
    for n in range(25):
        ask(cast, f"Post {n}", kind="post")
        ask(cast, f"Comment {n}", kind="comment", target_id=message.pk)

    with pytest.raises(PendingLimitReached):
        ask(cast, "", kind="reaction", emoji="👍", target_id=message.pk)


def test_proposing_twice_for_one_turn_gives_one_draft(cast: Cast) -> None:
    turn = Turn.objects.create(
        workspace=cast.workspace, agent=cast.ada, room=cast.lounge, decision="respond"
    )
    first = propose(
        Wish(turn=turn, agent_id=cast.ada.pk, kind="message", room_id=cast.lounge.pk, text="Hi")
    )
    again = propose(
        Wish(turn=turn, agent_id=cast.ada.pk, kind="message", room_id=cast.lounge.pk, text="Hi!")
    )

    assert first == again
    assert Draft.objects.count() == 1


def test_an_agent_that_may_speak_freely_is_queued_at_once(cast: Cast) -> None:
    turn = Turn.objects.create(
        workspace=cast.workspace, agent=cast.bo, room=cast.lounge, decision="respond"
    )
    draft = propose(
        Wish(turn=turn, agent_id=cast.bo.pk, kind="message", room_id=cast.lounge.pk, text="Hello")
    )

    assert draft.status == "approved"
    assert Outbound.objects.get(draft=draft).not_before <= clock.now()


def test_strangers_text_cannot_speak_in_another_room_by_itself(cast: Cast) -> None:
    turn = Turn.objects.create(workspace=cast.workspace, agent=cast.bo, decision="respond")
    draft = propose(
        Wish(
            turn=turn,
            agent_id=cast.bo.pk,
            kind="message",
            room_id=cast.lounge.pk,
            text="Buy now",
            tainted=True,
        )
    )

    assert draft.status == "pending"


def test_a_key_in_the_text_is_held_back_and_recorded(cast: Cast) -> None:
    draft = ask(cast, "my key is sk-abcdefghijklmnopqrstuvwxyz0123")

    assert draft.status == "blocked"
    assert Finding.objects.get(target_id=draft.pk).rule == "credential"
    assert Feedback.objects.get(target_id=draft.pk).value == -0.7
    assert not Outbound.objects.exists()


def test_a_forbidden_phrase_asks_or_blocks(cast: Cast) -> None:
    PolicyRule.objects.create(workspace=cast.workspace, phrase="Surprise party", effect="block")

    assert ask(cast, "About the surprise PARTY …").status == "blocked"
    with pytest.raises(Invalid):
        edit(draft_id=ask(cast).pk, version=1, text="the surprise party", by=cast.root)


def test_calling_everybody_waits_for_the_owner_even_when_free_to_speak(cast: Cast) -> None:
    turn = Turn.objects.create(
        workspace=cast.workspace, agent=cast.bo, room=cast.lounge, decision="respond"
    )
    draft = propose(
        Wish(
            turn=turn,
            agent_id=cast.bo.pk,
            kind="message",
            room_id=cast.lounge.pk,
            text="@everyone hi",
        )
    )

    assert draft.status == "pending"


def test_nothing_to_say_is_an_error(cast: Cast) -> None:
    with pytest.raises(Unspeakable):
        ask(cast, "\x00 \u202e ")


def test_hostile_text_is_stored_without_its_tricks(cast: Cast) -> None:
    draft = ask(cast, "a\x00b\ud800c\u202ed" + "x" * 100_000)

    draft.refresh_from_db()
    assert draft.text.startswith("ab\ufffdcd")
    assert len(draft.text) <= 16_000


def test_friends_only_is_refused_where_everybody_can_read(cast: Cast) -> None:
    with pytest.raises(Refused, match="contact"):
        ask(cast, "For friends", kind="post", visibility="friends")


def test_expiry_ends_a_draft_once_and_warns_before(cast: Cast) -> None:
    draft = ask(cast, "Post me", kind="post")
    Draft.objects.filter(pk=draft.pk).update(expires_at=clock.now() + timedelta(hours=23))

    assert (warn_expiring(), warn_expiring()) == (1, 0)
    assert Notification.objects.filter(kind__startswith="draft.expiring").count() == 1

    Draft.objects.filter(pk=draft.pk).update(expires_at=clock.now())
    with pytest.raises(DraftNotPending):
        send(cast, draft)
    assert (expire_due(), expire_due()) == (1, 0)
    draft.refresh_from_db()
    assert draft.status == "expired"


def test_a_chat_reply_is_withdrawn_when_the_conversation_moved_on(cast: Cast) -> None:
    by_time, by_messages, fresh = ask(cast, "one"), ask(cast, "two"), ask(cast, "three")
    post = ask(cast, "a post", kind="post")
    Draft.objects.filter(pk=by_time.pk).update(stale_at=clock.now())
    for n in range(rules.STALE_AFTER_MESSAGES):
        make_message(cast, cast.sam, f"chat {n}")
    newest = make_message(cast, cast.sam, "newest").pk
    Draft.objects.filter(pk=fresh.pk).update(room_seen=newest)

    with pytest.raises(DraftStale, match="moved on"):
        send(cast, by_messages)
    by_messages.refresh_from_db()
    assert by_messages.status == "withdrawn"

    assert (withdraw_stale(), withdraw_stale()) == (1, 0)
    assert {d.status for d in Draft.objects.filter(pk__in=[fresh.pk, post.pk])} == {"pending"}


def test_a_snoozed_draft_comes_back(cast: Cast) -> None:
    draft = ask(cast)
    snooze(draft_id=draft.pk, until=clock.now() + timedelta(hours=1), by=cast.root)
    assert not inbox(cast.root).exists()

    Draft.objects.filter(pk=draft.pk).update(snoozed_until=clock.now())
    assert inbox(cast.root).count() == 1


def test_bulk_gives_each_draft_its_own_result(cast: Cast) -> None:
    one, two, gone = ask(cast, "one"), ask(cast, "two"), ask(cast, "gone")
    reject(draft_id=gone.pk, by=cast.root)

    results = bulk(drafts=[one, two, gone], action="approve", by=cast.root, edits={two.pk: "zwei"})

    assert [result.ok for result in results] == [True, True, False]
    assert results[2].error == "Draft not found or not pending."
    two.refresh_from_db()
    assert two.text == "zwei"
    with pytest.raises(Invalid, match="At most 25"):
        bulk(drafts=[one] * 26, action="approve", by=cast.root)


def test_the_demo_is_counted_apart(cast: Cast) -> None:
    ask(cast)
    assert counts(cast.root) == {"real": 1, "demo": 0}
    cast.workspace.is_demo = True
    cast.workspace.save()
    assert counts(cast.root) == {"real": 0, "demo": 1}
