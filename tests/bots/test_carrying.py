"""Files and corrections in web rooms, on real sends: what was seen goes out, and only that."""

from __future__ import annotations

from functools import partial

import pytest

from agentapp.conversation.models import Attachment, Message
from agentapp.drafts.errors import DraftChanged, DraftNotPending
from agentapp.drafts.models import Draft, DraftFile, Outbound
from agentapp.drafts.services import approve, attach, correct, detach, propose_by_hand, retract
from agentapp.drafts.services.correcting import StillCorrecting
from agentapp.files.errors import TooManyFiles
from agentapp.files.models import FileBytes, StoredFile
from agentapp.files.services import Given
from agentapp.foundation.errors import Invalid
from agentapp.identity.services.agents import pause_agent
from agentapp.moderation.services import lift, suspend
from agentapp.notifications.models import Notification
from agentapp.safety.models import PolicyRule
from bots.bridge import Bridge
from tests.bots.places import approved, due_now, eventually, run, running_host, said_by, status_of
from tests.cast import Cast

NOTES = Given("notes.txt", b"one\ntwo")


def waiting(cast: Cast, *files: Given) -> Draft:
    draft = propose_by_hand(
        agent_id=cast.ada.pk, kind="message", room_id=cast.lounge.pk, text="Here.", by=cast.root
    )
    for given in files:
        draft = attach(draft_id=draft.pk, version=draft.version, given=given, by=cast.root)
    return draft


def release(cast: Cast, draft: Draft) -> None:
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    due_now()


def let_run(draft: Draft, ends: str) -> None:
    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            await eventually(bridge, partial(status_of, draft), ends)

    run(work)


def test_a_file_goes_out_after_the_words(live_cast: Cast) -> None:
    draft = waiting(live_cast, NOTES)
    release(live_cast, draft)
    let_run(draft, "published")
    assert said_by(live_cast.ada) == ["Here.", ""]
    row = Attachment.objects.select_related("file__bytes").get()
    assert (row.name, bytes(row.file.bytes.content)) == ("notes.txt", NOTES.content)
    assert StoredFile.objects.count() == 1  # the same bytes as the draft's


def test_what_was_not_seen_is_not_approved(live_cast: Cast) -> None:
    draft = waiting(live_cast)
    seen = (draft.version, draft.content_hash)
    attach(draft_id=draft.pk, version=draft.version, given=NOTES, by=live_cast.root)
    with pytest.raises(DraftChanged):
        approve(draft_id=draft.pk, version=seen[0], content_hash=seen[1], by=live_cast.root)
    changed = Draft.objects.get()
    with pytest.raises(DraftChanged):
        approve(draft_id=draft.pk, version=changed.version, content_hash=seen[1], by=live_cast.root)
    assert changed.content_hash != seen[1]


def test_a_file_that_is_taken_off_is_gone(live_cast: Cast) -> None:
    draft = waiting(live_cast, NOTES)
    (file,) = draft.files.all()
    after = detach(draft_id=draft.pk, version=draft.version, file_id=file.pk, by=live_cast.root)
    assert (after.file_count, FileBytes.objects.count(), StoredFile.objects.count()) == (0, 0, 0)
    release(live_cast, after)
    let_run(draft, "published")
    assert said_by(live_cast.ada) == ["Here."]


def test_a_draft_takes_four_files_and_no_program(live_cast: Cast) -> None:
    draft = waiting(live_cast, *[Given(f"{n}.txt", b"x") for n in range(4)])
    for given, error in ((NOTES, TooManyFiles), (Given("a.exe", b"MZ"), Invalid)):
        with pytest.raises(error):
            attach(draft_id=draft.pk, version=draft.version, given=given, by=live_cast.root)


def test_a_suspension_stops_a_file(live_cast: Cast) -> None:
    draft = waiting(live_cast, NOTES)
    release(live_cast, draft)
    suspend(agent_id=live_cast.ada.pk, by=live_cast.root)
    let_run(draft, "blocked")
    assert said_by(live_cast.ada) == []
    assert DraftFile.objects.get().uploaded == ""


def test_the_bytes_of_both_go_when_the_message_is_taken_back(live_cast: Cast) -> None:
    draft = waiting(live_cast, NOTES)
    release(live_cast, draft)
    let_run(draft, "published")
    retract(draft_id=draft.pk, by=live_cast.root)
    let_run(draft, "retracted")
    assert (FileBytes.objects.count(), StoredFile.objects.count()) == (0, 0)
    assert DraftFile.objects.get().file is None


# -- corrections -------------------------------------------------------------------------------


def said(cast: Cast) -> tuple[Draft, Message]:
    """Return what Ada has said in the lounge."""
    draft = approved(cast, "Tea at five.")
    let_run(draft, "published")
    return draft, Message.objects.get(author__agent=cast.ada)


def test_a_correction_changes_the_words_in_place(live_cast: Cast) -> None:
    draft, message = said(live_cast)
    correct(message_id=message.pk, text="Tea at six.", by=live_cast.root)
    with pytest.raises(StillCorrecting):
        correct(message_id=message.pk, text="Tea at seven.", by=live_cast.root)
    assert said_by(live_cast.ada) == ["Tea at five."]  # not before its gates were asked

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            await eventually(bridge, partial(said_by, live_cast.ada), ["Tea at six."])
            again = partial(correct, message_id=message.pk, text="Tea at 7.", by=live_cast.root)
            settled = partial(Outbound.objects.filter(action="edit", state="sent").count)
            await eventually(bridge, settled, 1)
            await bridge.call(again)
            await eventually(bridge, settled, 2)

    run(work)
    draft.refresh_from_db()
    message.refresh_from_db()
    assert (draft.text, draft.status, draft.version) == ("Tea at 7.", "published", 3)
    assert message.edited_at is not None
    assert draft.revisions.count() == 3


@pytest.mark.parametrize("stopped", ["suspended", "paused", "taken back"])
def test_a_gate_stops_a_correction(live_cast: Cast, stopped: str) -> None:
    draft, message = said(live_cast)
    correct(message_id=message.pk, text="Tea at six.", by=live_cast.root)
    if stopped == "suspended":
        suspend(agent_id=live_cast.ada.pk, by=live_cast.root)
    elif stopped == "paused":
        pause_agent(agent_id=live_cast.ada.pk, by=live_cast.root)
    else:
        Message.objects.filter(pk=message.pk).update(deleted_at=message.sent_at)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            held = Outbound.objects.filter(action="edit", state="withheld").count
            await eventually(bridge, held, 1)

    run(work)
    message.refresh_from_db()
    draft.refresh_from_db()
    assert (message.text, draft.text, draft.status) == ("Tea at five.", "Tea at five.", "published")
    if stopped != "suspended":  # then the owner was told of the suspension itself
        assert Notification.objects.filter(kind="draft.not_corrected").exists()


def test_after_a_suspension_what_was_said_can_be_corrected(live_cast: Cast) -> None:
    _, message = said(live_cast)
    suspend(agent_id=live_cast.ada.pk, by=live_cast.root)
    lift(agent_id=live_cast.ada.pk, by=live_cast.root)
    correct(message_id=message.pk, text="Tea at six.", by=live_cast.root)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            await eventually(bridge, partial(said_by, live_cast.ada), ["Tea at six."])

    run(work)


def test_what_may_not_be_said_may_not_be_corrected_to(live_cast: Cast) -> None:
    draft, message = said(live_cast)
    PolicyRule.objects.create(workspace=live_cast.workspace, phrase="secret", effect="block")
    for text in ("the secret", " ", "x" * 9_000):
        with pytest.raises(Invalid):
            correct(message_id=message.pk, text=text, by=live_cast.root)
    assert not Outbound.objects.filter(action="edit").exists()
    retract(draft_id=draft.pk, by=live_cast.root)
    let_run(draft, "retracted")
    with pytest.raises(DraftNotPending):
        correct(message_id=message.pk, text="Tea at six.", by=live_cast.root)
