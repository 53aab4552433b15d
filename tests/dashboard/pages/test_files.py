"""Files in web rooms: taken within limits, shown drawn anew, given to whoever may read there."""

from __future__ import annotations

import io
from urllib.parse import unquote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from agentapp.conversation.models import Attachment, Message
from agentapp.drafts.models import DraftFile, Outbound
from agentapp.drafts.services import approve, attach
from agentapp.files.models import FileBytes, StoredFile
from agentapp.files.rules import clean_name
from agentapp.files.services import Given
from agentapp.foundation import clock
from agentapp.identity.models import Identity, Room
from agentapp.identity.services.rooms import create_room
from tests.cast import Cast
from tests.dashboard.pages.conftest import Visit
from tests.dashboard.pages.world import AS_SCRIPT, make_draft, publish, seen

TEXT = b"One line.\nAnother line."


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


def send(browser: Client, room: Room, *files: tuple[str, bytes], **fields: object) -> object:
    handed = [SimpleUploadedFile("x", content) for _, content in files]
    for upload, (name, _) in zip(handed, files, strict=True):
        upload.name = name  # as a hostile browser would send it
    return browser.post(
        reverse("room_say", args=[room.pk]), {"text": "", "files": handed, **fields}, **AS_SCRIPT
    )


def only() -> Attachment:
    return Attachment.objects.select_related("file", "message").get()


def test_a_picture_stands_in_the_room_drawn_anew(cast: Cast, sam: Client, root: Client) -> None:
    sent = picture((4000, 300), "JPEG")
    answer = send(sam, cast.lounge, ("Our cat.jpg", sent), text="Look")
    assert answer.status_code == 204
    row = only()
    assert (row.message.text, row.message.file_count, row.state) == ("Look", 1, "kept")
    assert row.file is not None
    assert (row.file.content_type, row.file.width) == ("image/jpeg", 1600)
    page = root.get(reverse("room", args=[cast.lounge.pk])).content.decode()
    shown = reverse("file_picture", args=[row.pk])
    assert f'src="{shown}"' in page
    looked = root.get(shown)
    assert looked.content != sent
    assert looked["Content-Type"] == "image/jpeg"
    assert "sandbox" in looked["Content-Security-Policy"]
    assert "default-src 'self'" not in looked["Content-Security-Policy"]
    assert looked["X-Content-Type-Options"] == "nosniff"
    assert root.get(shown, HTTP_IF_NONE_MATCH=looked["ETag"]).status_code == 304
    taken = root.get(reverse("file", args=[row.pk]))
    assert taken.content == sent
    assert taken["Content-Disposition"] == "attachment; filename*=UTF-8''Our%20cat.jpg"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "svg"),
        ("cat.png", b"<!doctype html><script>alert(1)</script>", "text/html"),
        ("cat.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image/png"),
        ("page.html", b"\xef\xbb\xbf  <HTML><body>", "text/html"),
        ("notes.txt", b"<b>bold</b> claims", "text/plain"),
        ("paper.pdf", b"%PDF-1.7\n", "application/pdf"),
    ],
)
def test_what_is_no_picture_is_only_taken_away(
    cast: Cast, sam: Client, name: str, content: bytes, kind: str
) -> None:
    send(sam, cast.lounge, (name, content))
    row = only()
    assert row.file is not None
    assert kind in row.file.content_type
    assert sam.get(reverse("file_picture", args=[row.pk])).status_code == 404
    taken = sam.get(reverse("file", args=[row.pk]))
    assert taken["Content-Type"] in {"application/octet-stream", "application/pdf", "image/png"}
    assert taken["Content-Disposition"].startswith("attachment;")
    assert "<img" not in sam.get(reverse("room_messages", args=[cast.lounge.pk])).content.decode()


def test_a_picture_of_too_many_pixels_is_not_opened(cast: Cast, sam: Client) -> None:
    bomb = picture((6000, 5000))
    assert len(bomb) < 200_000
    send(sam, cast.lounge, ("bomb.png", bomb))
    row = only()
    assert row.file is not None
    assert (row.file.width, row.state) == (0, "kept")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "empty"),
        ("setup.exe", b"MZ\x90\0", "program"),
        ("harmless.txt", b"\x7fELF\x02", "program"),
        ("run.BAT", b"del", "program"),
        ("big.bin", b"\0" * 10_000_001, "10 MB"),
    ],
)
def test_what_is_not_taken_is_refused_in_words(
    cast: Cast, sam: Client, name: str, content: bytes, words: str
) -> None:
    answer = send(sam, cast.lounge, (name, content), text="Here")
    assert answer.status_code == 422
    assert words in answer["HX-Trigger"]
    assert not Message.objects.exists()
    assert not StoredFile.objects.exists()


def test_five_files_are_too_many(cast: Cast, sam: Client) -> None:
    answer = send(sam, cast.lounge, *[(f"{n}.txt", TEXT) for n in range(5)])
    assert (answer.status_code, Message.objects.count()) == (422, 0)


@pytest.mark.parametrize("limit", ["room_files_mb_day", "workspace_files_mb_day"])
def test_a_day_has_an_end(cast: Cast, sam: Client, limit: str) -> None:
    cast.workspace.limits = {limit: 0.00003}
    cast.workspace.save()
    assert send(sam, cast.lounge, ("a.txt", TEXT)).status_code == 204
    answer = send(sam, cast.lounge, ("b.txt", TEXT))
    assert answer.status_code == 403
    assert "today" in answer["HX-Trigger"]
    assert StoredFile.objects.count() == 1


def test_the_same_key_keeps_a_file_once(cast: Cast, sam: Client) -> None:
    for _ in range(2):
        send(sam, cast.lounge, ("a.txt", TEXT), client_key="k1")
    assert (Message.objects.count(), StoredFile.objects.count()) == (1, 1)


def test_only_who_may_read_the_message_gets_its_file(
    cast: Cast, sam: Client, root: Client, olga: Client, visit: Visit
) -> None:
    den = create_room(workspace=cast.workspace, name="Den", visibility="private", by=cast.root)
    send(root, den, ("plan.png", picture()))
    row = only()
    for name in ("file", "file_picture"):
        address = reverse(name, args=[row.pk])
        assert root.get(address).status_code == 200
        for stranger in (sam, olga, visit(cast.mallory)):
            assert stranger.get(address).status_code == 404
        assert Client().get(address).status_code == 302


def test_the_bytes_go_with_the_message(cast: Cast, sam: Client) -> None:
    send(sam, cast.lounge, ("plan.png", picture()))
    row = only()
    sam.post(reverse("message_delete", args=[row.message_id]), **AS_SCRIPT)
    assert not Attachment.objects.exists()
    assert not FileBytes.objects.exists()
    assert not StoredFile.objects.exists()
    assert sam.get(reverse("file", args=[row.pk])).status_code == 404


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("photo\u202egnp.txt", "photognp.txt"),
        ("two\r\nlines.txt", "two lines.txt"),
        ("\u2066\u200f", "file"),
        ("..", "file"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("x" * 500 + ".csv", "x" * 115 + "….csv"),
    ],
)
def test_a_name_is_only_a_name(cast: Cast, sam: Client, name: str, clean: str) -> None:
    assert clean_name(name) == clean
    send(sam, cast.lounge, ("a.txt", TEXT))
    Attachment.objects.update(name=clean_name(name))
    taken = sam.get(reverse("file", args=[only().pk]))["Content-Disposition"]
    assert unquote(taken.partition("''")[2]) == clean
    assert taken.isascii()


def test_messages_without_files_cost_no_query_for_them(cast: Cast, sam: Client) -> None:
    address = reverse("room_messages", args=[cast.lounge.pk])
    sam.post(reverse("room_say", args=[cast.lounge.pk]), {"text": "Hi"}, **AS_SCRIPT)
    with CaptureQueriesContext(connection) as queries:
        sam.get(address)
    asked = [str(query["sql"]) for query in queries]
    assert not [sql for sql in asked if "attachment" in sql or "storedfile" in sql]
    for n in range(3):
        send(sam, cast.lounge, (f"{n}.txt", TEXT))
    with CaptureQueriesContext(connection) as queries:
        sam.get(address)
    asked = [sql for query in queries if "attachment" in (sql := str(query["sql"]))]
    assert len(asked) == 1
    assert not [sql for sql in asked if "filebytes" in sql]


def test_a_drafts_file_is_for_who_decides_about_it(
    cast: Cast, sam: Client, root: Client, olga: Client
) -> None:
    draft = make_draft(cast)
    address = reverse("draft_attach", args=[draft.pk])
    upload = SimpleUploadedFile("plan.png", picture())
    sam.post(address, seen(draft, files=[upload]), **AS_SCRIPT)
    assert not DraftFile.objects.exists()
    upload.seek(0)
    card = root.post(address, seen(draft, files=[upload]), **AS_SCRIPT).content.decode()
    row = DraftFile.objects.get()
    for name in ("draft_file", "draft_file_picture"):
        shown = reverse(name, args=[row.pk])
        assert shown in card
        assert root.get(shown).status_code == 200
        assert {browser.get(shown).status_code for browser in (sam, olga)} == {404}
    answer = root.post(reverse("draft_send", args=[draft.pk]), seen(draft), **AS_SCRIPT)
    assert "changed after you opened it" in answer.content.decode()
    draft.refresh_from_db()
    gone = reverse("draft_detach", args=[draft.pk, row.pk])
    assert sam.post(gone, seen(draft), **AS_SCRIPT).status_code == 404
    root.post(gone, seen(draft), **AS_SCRIPT)
    assert not StoredFile.objects.exists()


def test_only_an_agents_owner_corrects_what_it_said(
    cast: Cast, sam: Client, root: Client, olga: Client
) -> None:
    draft = make_draft(cast)
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    publish(draft)
    said = Message.objects.create(
        workspace=cast.workspace,
        room=cast.lounge,
        external_id="said",
        author=Identity.objects.get(agent=cast.ada, platform="local"),
        text=draft.text,
        sent_at=clock.now(),
    )
    Outbound.objects.filter(draft=draft).update(message=said, external_id="said")
    address = reverse("message_correct", args=[said.pk])
    assert "Edit" in root.get(reverse("message", args=[said.pk])).content.decode()
    assert address not in sam.get(reverse("message", args=[said.pk])).content.decode()
    for browser in (sam, olga):
        for page in (address, reverse("message_retract", args=[said.pk])):
            assert browser.post(page, {"text": "Mine now"}, **AS_SCRIPT).status_code == 404
    assert not Outbound.objects.exclude(action="send").exists()
    assert root.post(address, {"text": " "}, **AS_SCRIPT).status_code == 422
    assert root.post(address, {"text": "Better."}, **AS_SCRIPT).status_code == 200
    assert Outbound.objects.get(action="edit").text == "Better."
    root.post(reverse("message_retract", args=[said.pk]), **AS_SCRIPT)
    assert Outbound.objects.filter(action="retract").exists()


def test_files_go_with_their_room(cast: Cast, sam: Client) -> None:
    send(sam, cast.lounge, ("plan.png", picture()))
    draft = make_draft(cast)
    given = Given("a.txt", TEXT)
    attach(draft_id=draft.pk, version=draft.version, given=given, by=cast.root)
    cast.lounge.delete()
    assert (StoredFile.objects.count(), FileBytes.objects.count()) == (0, 0)
