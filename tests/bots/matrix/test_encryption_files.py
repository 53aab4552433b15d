"""Files in encrypted rooms, both ways."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import nio

from agentapp.files.models import FileBytes
from agentapp.files.services import Given
from bots.bridge import Bridge
from tests.bots.matrix.peers import (
    encrypted_room,
    encrypting,
    peer,
)
from tests.bots.matrix.test_files import picture, states, waits_with
from tests.bots.matrix.world import (
    Member,
    connected,
    matrix_host,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def test_files_go_both_ways_and_nobody_between_can_open_them(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)
    content = picture()

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            await app.sends(room, await locked_by(app.client, content))
            await app.sends(room, await locked_by(app.client, content, spoil=True))
            await eventually(bridge, states, ["kept", "failed"], seconds=20)
            draft = await bridge.call(
                waits_with, live_cast, room, "Here it is.", Given("cat.png", content)
            )
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)
            await app.hears(ada.user_id, "Here it is.")
            (shown,) = [e for e in app.seen if isinstance(e, nio.RoomEncryptedImage)][2:]
            fetched = await app.client.download(shown.url)
            assert fetched.body != content
            key, sha256, iv = shown.key["k"], shown.hashes["sha256"], shown.iv
            assert nio.crypto.decrypt_attachment(fetched.body, key, sha256, iv) == content

    run(work)
    assert bytes(FileBytes.objects.first().content) == content  # type: ignore[union-attr]


async def locked_by(
    client: nio.AsyncClient, content: bytes, *, spoil: bool = False
) -> dict[str, Any]:
    """Lay a file down as an app does; a spoiled one is not what its message says."""
    locked, keys = nio.crypto.encrypt_attachment(content)
    laid = locked[:-1] + bytes([locked[-1] ^ 1]) if spoil else locked
    answer, _ = await client.upload(
        lambda *_: io.BytesIO(laid), "application/octet-stream", filesize=len(laid)
    )
    assert isinstance(answer, nio.UploadResponse)
    info = {"mimetype": "image/png", "size": len(content)}
    file = {**keys, "url": answer.content_uri, "mimetype": "image/png"}
    return {"msgtype": "m.image", "body": "a.png", "file": file, "info": info}
