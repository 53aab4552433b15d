"""Files over a real homeserver: fetched beside the syncs, sent once, whatever ends in between."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from PIL import Image

from agentapp.conversation.models import Attachment, Message
from agentapp.drafts.models import Draft, DraftFile, Outbound
from agentapp.drafts.services import Wish, approve, attach, correct, propose
from agentapp.events.models import Event
from agentapp.files.models import FileBytes, StoredFile
from agentapp.files.services import Given
from agentapp.foundation import clock
from agentapp.identity.models import Account, Agent, Workspace
from agentapp.intake.models import Lane
from agentapp.intake.services import platform
from agentapp.moderation.services import suspend
from bots.bridge import Bridge
from bots.matrix.credentials import Login
from bots.matrix.errors import TooLong
from bots.matrix.transport import Homeserver
from tests.bots.matrix.test_keeping import a_place
from tests.bots.matrix.world import Member, answers, connected, matrix_host, record_of, room_of
from tests.bots.places import due_now, eventually, run, said_by, status_of
from tests.cast import Cast
from tests.fakes.listening import listening
from tests.fakes.synapse import ROOT, Synapse

KEEPING = ("file.fetched", "file.examined", "file.written")
SENDING = ("file.uploading", "file.uploaded")
# Ends the bots process where a test says, as kill -9 does.
DYING = """
import asyncio, sys, django
django.setup()
from agentapp.foundation import faults
from bots.main import serve
faults.arm(sys.argv[1])
asyncio.run(serve())
"""


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(out, "PNG")
    return out.getvalue()


def lays_down(synapse: Synapse, member: Member, content: bytes) -> str:
    """Upload a file as an ordinary client does."""

    async def upload() -> str:
        user = member.user
        server = Homeserver(Login(synapse.url, user.user_id, user.device_id, user.token))
        try:
            return await server.upload(content, content_type="text/plain", name="x")
        finally:
            await server.close()

    return asyncio.run(upload())


def sends(member: Member, room: str, mxc: str, **fields: object) -> str:
    content = {"msgtype": "m.file", "body": "a.png", "url": mxc, "m.mentions": {}, **fields}
    return member.sends(room, "m.room.message", content)


def states() -> list[str]:
    return list(Attachment.objects.order_by("id").values_list("state", flat=True))


def files_in(member: Member, room: str) -> list[dict[str, Any]]:
    return [
        event["content"]
        for event in member.reads(room)
        if event["type"] == "m.room.message" and event["content"].get("url")
    ]


def waits_with(cast: Cast, room: str, text: str, *files: Given) -> Draft:
    """Have Ada want to say something, with files that her owner puts there, and approve it."""
    Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={"message": "owner"})
    draft = propose(
        Wish(turn=None, agent_id=cast.ada.pk, kind="message", room_id=room_of(room).pk, text=text)
    )
    for given in files:
        draft = attach(draft_id=draft.pk, version=draft.version, given=given, by=cast.root)
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    due_now()
    return draft


def dies_at(point: str) -> None:
    """Run the bots process until it dies at a point."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, point],
        check=False,
        cwd=ROOT,
        env={**os.environ, "MATRIX_ALLOW_PRIVATE": "yes"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    for rows in (Account, Attachment, DraftFile):
        rows.objects.update(lease_until=clock.now())  # no test waits for a lease


# -- in ----------------------------------------------------------------------------------------


def test_a_file_is_kept_as_its_bytes_say(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    content = picture()
    mxc = lays_down(synapse, ann, content)
    info = {"mimetype": "text/html", "size": 3}

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            say = partial(sends, ann, room, mxc, info=info, filename="a.png", body="Our cat")
            event_id = await bridge.call(say)
            await eventually(bridge, states, ["kept"])
            row = await bridge.call(
                lambda: Attachment.objects.select_related("file", "message").get()
            )
            assert row.message.text == "Our cat"
            assert (row.name, row.said_type) == ("a.png", "text/html")
            assert (row.file.content_type, row.file.size) == ("image/png", len(content))
            assert await bridge.call(
                lambda: bytes(FileBytes.objects.values_list("content", flat=True).get()) == content
            )
            await bridge.call(ann.redacts, room, event_id)
            await eventually(bridge, FileBytes.objects.count, 0)

    run(work)
    assert not StoredFile.objects.exists()
    assert Event.objects.filter(type="message.file").count() == 1


def test_what_cannot_be_had_says_so(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    Workspace.objects.filter(pk=live_cast.workspace.pk).update(limits={"file_mb": 0.05})
    large = lays_down(synapse, ann, b"x" * 60_000)
    nothing = lays_down(synapse, ann, b"MZ program")
    key = {"url": "mxc://h2.test/abc", "key": {"k": "secret"}}

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            for mxc, fields in (
                (large, {"info": {"size": 10}}),
                ("mxc://h2.test/nothinghere", {}),
                (nothing, {}),
                ("", {"file": key}),
                (large, {"info": {"size": 70_000_000}}),
            ):
                await bridge.call(partial(sends, ann, room, mxc, **fields))
            expected = ["refused", "failed", "refused", "sealed", "refused"]
            await eventually(bridge, states, expected)

    run(work)
    reasons = list(Attachment.objects.order_by("id").values_list("reason", flat=True))
    assert "larger" in reasons[0]
    assert "program" in reasons[2]
    assert "encrypted" in reasons[3]
    assert not StoredFile.objects.exists()


def test_agents_wait_for_a_file_and_no_longer(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    mxc = lays_down(synapse, ann, b"some words")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(sends, ann, room, mxc)
            await eventually(bridge, states, ["kept"])

    run(work)
    lane = Lane.objects.get(agent=live_cast.ada, room=room_of(room))
    assert lane.due_at <= clock.now()  # hastened: it would have waited for 8 seconds
    message = Message.objects.get(room=room_of(room))
    assert (lane.due_at - message.created_at).total_seconds() < platform.FILE_PATIENCE


@pytest.mark.parametrize("point", KEEPING)
def test_a_kill_around_keeping_loses_no_file_and_doubles_none(
    live_cast: Cast, synapse: Synapse, point: str
) -> None:
    ann, room = a_place(live_cast, synapse)
    content = picture()
    mxc = lays_down(synapse, ann, content)

    async def arrive(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)

    run(arrive)
    sends(ann, room, mxc)
    dies_at(point)
    assert states() == ["wanted"]
    assert not StoredFile.objects.exists()

    async def again(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, states, ["kept"])

    run(again)
    assert (StoredFile.objects.count(), Message.objects.count()) == (1, 1)


class Endless:
    """A homeserver whose file does not end, up to 100 MB."""

    def __init__(self) -> None:
        self.sent = 0

    async def answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
        block = b"x" * 100_000
        with suppress(ConnectionError):
            while self.sent < 100_000_000:
                writer.write(block)
                await writer.drain()
                self.sent += len(block)


def test_an_endless_answer_is_cut(synapse: Synapse) -> None:
    endless = Endless()

    async def work() -> None:
        async with listening(endless.answer) as port:
            server = Homeserver(Login(f"http://127.0.0.1:{port}", "@a:b", "D", "token"))
            with pytest.raises(TooLong):
                await server.download("mxc://h2.test/abc", most=1_000_000)
            await server.close()

    tracemalloc.start()
    asyncio.run(work())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert endless.sent < 20_000_000  # what stood in buffers, and not the rest
    assert peak < 20_000_000


# -- out ---------------------------------------------------------------------------------------


def test_words_come_first_and_then_the_files_each_once(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    files = (Given("cat.png", picture()), Given("list.csv", b"a,b\n1,2\n"))

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(waits_with, live_cast, room, "Here they are.", *files)
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)
            await bridge.call(ann.says, room, "Thanks")
            await eventually(bridge, lambda: record_of(room)[-1:], ["Thanks"])

    run(work)
    shown = files_in(ann, room)
    assert [content["msgtype"] for content in shown] == ["m.image", "m.file"]
    assert [content["body"] for content in shown] == ["cat.png", "list.csv"]
    assert said_by(live_cast.ada) == ["Here they are.", "", ""]
    rows = Attachment.objects.order_by("id")
    assert [row.state for row in rows] == ["kept", "kept"]
    assert StoredFile.objects.count() == 2


@pytest.mark.parametrize("point", SENDING)
def test_a_kill_around_uploading_loses_no_file_and_doubles_none(
    live_cast: Cast, synapse: Synapse, point: str
) -> None:
    ann, room = a_place(live_cast, synapse)

    async def arrive(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)

    run(arrive)
    draft = waits_with(live_cast, room, "Here it is.", Given("a.txt", b"words"))
    dies_at(point)
    assert files_in(ann, room) == []
    assert DraftFile.objects.get().uploaded == ""

    async def again(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)

    run(again)
    assert len(files_in(ann, room)) == 1
    assert ann.hears(room, Account.objects.get(agent=live_cast.ada, platform="matrix").external_id)


# -- corrections -------------------------------------------------------------------------------


def test_a_correction_replaces_the_words_there_and_here(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(answers, live_cast.ada, room, "Tea at five.")
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)
            message = await bridge.call(Message.objects.get)
            mend = partial(correct, message_id=message.pk, text="Tea at six.", by=live_cast.root)
            await bridge.call(mend)
            await eventually(bridge, partial(record_of, room), ["Tea at six."])
            # The own echo has been read once something that came after it has.
            await bridge.call(ann.says, room, "Fine")
            await eventually(bridge, partial(record_of, room), ["Tea at six.", "Fine"])

    run(work)
    edit = next(
        event["content"]
        for event in ann.reads(room)
        if event["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"
    )
    assert edit["m.new_content"]["body"] == "Tea at six."
    assert edit["body"] == "* Tea at six."
    draft = Draft.objects.get()
    assert (draft.status, draft.text, draft.version) == ("published", "Tea at six.", 2)
    assert list(draft.revisions.order_by("n").values_list("text", flat=True)) == [
        "Tea at five.",
        "Tea at six.",
    ]
    assert Event.objects.filter(type="message.edited").count() == 1
    assert Event.objects.filter(type="agent.draft.corrected").count() == 1


def test_a_suspension_stops_a_correction(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)

    async def say(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            draft = await bridge.call(answers, live_cast.ada, room, "Tea at five.")
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)

    run(say)
    message = Message.objects.get()
    correct(message_id=message.pk, text="Tea at six.", by=live_cast.root)
    suspend(agent_id=live_cast.ada.pk, by=live_cast.root)

    async def again(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await bridge.call(ann.says, room, "Hello?")
            await asyncio.sleep(1.0)  # a correction would have left by now

    run(again)
    assert not [e for e in ann.reads(room) if "m.new_content" in e["content"]]
    assert Outbound.objects.get(action="edit").state == "withheld"
    draft = Draft.objects.get()
    assert (draft.status, draft.text) == ("published", "Tea at five.")
