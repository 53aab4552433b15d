"""Requests against a real homeserver, and what its failures become."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from django.test import override_settings

from bots.matrix.answers import raise_for
from bots.matrix.credentials import Login
from bots.matrix.errors import Faltering, Limited, LoginLost, NotReached, Rejected
from bots.matrix.login import (
    LoginRefused,
    adopt_token,
    find_homeserver,
    log_in,
    packed,
    unpacked,
)
from bots.matrix.transport import Homeserver
from bots.matrix.wire import Answer, Request, Wire
from tests.fakes.listening import listening
from tests.fakes.synapse import MatrixUser, Synapse

T = TypeVar("T")
FILTER: dict[str, object] = {"room": {"timeline": {"limit": 20}}}


def login_of(synapse: Synapse, user: MatrixUser) -> Login:
    return Login(synapse.url, user.user_id, user.device_id, user.token)


def with_server(login: Login, work: Callable[[Homeserver], Awaitable[T]], **more: Any) -> T:
    async def whole() -> T:
        server = Homeserver(login, **more)
        try:
            return await work(server)
        finally:
            await server.close()

    return asyncio.run(whole())


def a_room(synapse: Synapse, *users: MatrixUser) -> str:
    room = synapse.call(
        "POST",
        "/_matrix/client/v3/createRoom",
        {"invite": [user.user_id for user in users[1:]]},
        token=users[0].token,
    )["room_id"]
    for user in users[1:]:
        synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, token=user.token)
    return str(room)


def test_one_login_does_everything_it_has_to(synapse: Synapse) -> None:
    ann, ben = synapse.user("ann"), synapse.user("ben")
    room = a_room(synapse, ann, ben)
    text = {"msgtype": "m.text", "body": "Hello", "m.mentions": {}}

    async def work(server: Homeserver) -> None:
        assert await server.whoami() == ann.user_id
        first = await server.sync(since="", wait_seconds=0, full_state=True, filter_=FILTER)
        sent = await server.send(room, "m.room.message", text, "key-1")
        assert await server.send(room, "m.room.message", text, "key-1") == sent
        about = {"m.relates_to": {"rel_type": "m.annotation", "event_id": sent, "key": "👍"}}
        reaction = await server.send(room, "m.reaction", about, "key-2")
        with pytest.raises(Rejected) as refused:
            await server.send(room, "m.reaction", about, "key-3")
        assert refused.value.code == "M_DUPLICATE_ANNOTATION"
        found = await server.relations(room, sent, "m.annotation")
        assert [one["event_id"] for one in found["chunk"]] == [reaction]
        await server.set_typing(room, on=True, seconds=20)
        await server.set_typing(room, on=False, seconds=0)
        await server.read(room, sent)
        await server.redact(room, reaction, "key-4")
        assert (await server.event(room, reaction))["content"] == {}
        assert "users" in await server.state(room, "m.room.power_levels")
        page = await server.messages(room, start=first["next_batch"], limit=5)
        assert page["chunk"]
        later = await server.sync(
            since=first["next_batch"], wait_seconds=1, full_state=False, filter_=FILTER
        )
        events = later["rooms"]["join"][room]["timeline"]["events"]
        assert events[0]["unsigned"]["transaction_id"] == "key-1"

    with_server(login_of(synapse, ann), work)


def test_files_go_in_and_out_within_bounds(synapse: Synapse) -> None:
    async def work(server: Homeserver) -> None:
        mxc = await server.upload(b"x" * 50_000, content_type="image/png", name="a b.png")
        found = await server.download(mxc)
        assert (found.content_type, len(found.content)) == ("image/png", 50_000)
        with pytest.raises(Faltering):
            await server.download(mxc, most=40_000)
        for bad in ("https://elsewhere/x", "mxc://", "mxc://a", "mxc://../../admin"):
            with pytest.raises(Rejected):
                await server.download(bad)
        with pytest.raises(Rejected):
            await server.upload(b"x" * (25 * 1024 * 1024 + 1), content_type="a/b", name="x")

    with_server(login_of(synapse, synapse.user("ann")), work)


# -- logging in --------------------------------------------------------------------------------


def test_a_password_is_needed_once(synapse: Synapse) -> None:
    ann = synapse.user("ann")

    async def work() -> None:
        login = await log_in(homeserver=synapse.url, user=ann.user_id, password=ann.password)
        assert unpacked(packed(login)) == login
        assert await adopt_token(homeserver=synapse.url, token=login.token) == replace(
            login, refresh_token=""
        )
        again = await log_in(
            homeserver=synapse.url,
            user=ann.user_id,
            password=ann.password,
            device_id=login.device_id,
        )
        assert again.device_id == login.device_id
        with pytest.raises(LoginRefused):
            await log_in(homeserver=synapse.url, user=ann.user_id, password="wrong")
        synapse.call("POST", "/_matrix/client/v3/logout", {}, token=again.token)
        with pytest.raises(LoginLost):
            await adopt_token(homeserver=synapse.url, token=again.token)

    asyncio.run(work())


def test_a_login_does_not_show_its_tokens() -> None:
    login = Login("https://h.example", "@a:h.example", "DEV", "syt_secret", "syr_secret")
    assert "secret" not in repr(login)
    assert "secret" not in f"{login}"


def test_a_token_that_ran_out_is_refreshed_once_for_all(synapse: Synapse) -> None:
    synapse.restart(refreshable_access_token_lifetime="1s")
    try:
        ann = synapse.user("ann")
        kept: list[Login] = []

        async def keep(login: Login) -> None:
            kept.append(login)

        async def work() -> None:
            login = await log_in(homeserver=synapse.url, user=ann.user_id, password=ann.password)
            assert login.refresh_token
            await asyncio.sleep(1.2)
            server = Homeserver(login, renewed=keep)
            answers = await asyncio.gather(*(server.whoami() for _ in range(4)))
            assert set(answers) == {ann.user_id}
            assert len(kept) == 1
            assert kept[0].token != login.token
            await server.close()

        asyncio.run(work())
    finally:
        synapse.restart()


# -- failures ----------------------------------------------------------------------------------


def test_a_revoked_token_is_told_from_everything_else(synapse: Synapse) -> None:
    ann = synapse.user("ann")
    login = replace(login_of(synapse, ann), token="syt_nobody")
    with pytest.raises(LoginLost, match="log it in again"):
        with_server(login, lambda server: server.whoami())


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, "", "3", b"{}"), 3.0),
        (Answer(429, "", "", b'{"retry_after_ms": 1500}'), 1.5),
        (Answer(429, "", "", b'{"retry_after_ms": "soon"}'), 5.0),
        (Answer(429, "", "", b'{"retry_after_ms": 1e400}'), 600.0),
        (Answer(429, "", "", b'{"retry_after_ms": NaN}'), 5.0),
        (Answer(429, "", "", b'{"retry_after_ms": -1}'), 0.0),
        (Answer(429, "", "99999999", b"["), 600.0),
        (Answer(400, "", "", b'{"errcode": "M_LIMIT_EXCEEDED"}'), 5.0),
    ],
)
def test_a_limit_says_how_long_to_rest(answer: Answer, seconds: float) -> None:
    with pytest.raises(Limited) as limited:
        raise_for(answer)
    assert limited.value.seconds == seconds


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500, "", "", b'{"errcode": "M_UNKNOWN"}'), Faltering),
        (Answer(502, "", "", b"<html>"), Faltering),
        (Answer(302, "", "", b""), Faltering),
        (Answer(403, "", "", b'{"errcode": "M_FORBIDDEN"}'), Rejected),
        (Answer(404, "", "", b'{"errcode": {"a": 1}}'), Rejected),
        (Answer(401, "", "", b'{"errcode": "M_UNKNOWN_TOKEN"}'), LoginLost),
        (Answer(403, "", "", b'{"errcode": "M_USER_DEACTIVATED"}'), LoginLost),
    ],
)
def test_every_failure_is_one_of_ours(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        raise_for(answer)


@asynccontextmanager
async def answering(words: bytes, *, hangs: bool = False) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        await writer.drain()
        if hangs:
            await asyncio.sleep(30)

    async with listening(answer) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("words", "hangs"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", True),
        (b"\x00\xff\r\n\r\n", False),
        (b"", False),
    ],
)
def test_a_server_that_floods_hangs_or_babbles_costs_one_request(words: bytes, hangs: bool) -> None:
    async def work() -> None:
        async with answering(words, hangs=hangs) as url:
            wire = Wire(url)
            with pytest.raises(Faltering):
                await wire.ask(Request("GET", "/", seconds=0.5, most=100_000))
            await wire.close()

    with override_settings(MATRIX_ALLOW_PRIVATE=True):
        asyncio.run(work())


def test_nobody_there_means_that_nothing_left() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def work() -> None:
        wire = Wire(f"http://127.0.0.1:{port}")
        with pytest.raises(NotReached):
            await wire.ask(Request("GET", "/"))

    with override_settings(MATRIX_ALLOW_PRIVATE=True):
        asyncio.run(work())


def test_without_the_setting_nothing_goes_to_ones_own_machine() -> None:
    async def work() -> None:
        async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
            wire = Wire(url.replace("127.0.0.1", "localhost"))
            with pytest.raises(NotReached):
                await wire.ask(Request("GET", "/"))

    asyncio.run(work())


def test_a_name_that_points_nowhere_stays_itself() -> None:
    async def work() -> None:
        assert await find_homeserver("nothing.invalid") == "https://nothing.invalid"

    asyncio.run(work())
