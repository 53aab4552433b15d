"""Who may open a socket, and for how long."""

from __future__ import annotations

import time

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction

from agentapp.identity.models import Seat, User
from agentapp.identity.services.tenancy import give_seat
from tests.cast import Cast
from tests.dashboard.live.sockets import (
    ORIGIN,
    Page,
    communicator,
    headers_of,
    in_thread,
    opened,
    page,
    run,
    session_of,
)

CLOSED_WITHIN_SECONDS = 5.0


async def door(headers: list[tuple[bytes, bytes]], path: str = "/live/") -> bool:
    wire = communicator(headers, path=path)
    is_open = await opened(wire)
    await wire.send_input({"type": "websocket.disconnect", "code": 1000})
    await wire.wait(timeout=5)
    return is_open


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://evil.example",
        "https://localhost.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "file://",
        "http://[::1",
        "http://localhost:99999",
        "http://localhost:x",
        "javascript:alert(1)",
    ],
)
def test_a_page_of_another_site_cannot_open_a_socket(origin: str | None) -> None:
    headers = headers_of("", origin=origin)  # from our own page this gets as far as 4401

    async def work() -> None:
        assert not await door(headers)

    run(work)


def test_our_own_page_can(live_cast: Cast) -> None:
    headers = headers_of(session_of(live_cast.root), origin=ORIGIN)

    async def work() -> None:
        assert await door(headers)
        assert not await door(headers, path="/somewhere/")

    run(work)


async def close_code(session_key: str) -> int | None:
    async with page(session_key) as tab:
        await tab.until(lambda: tab.closed is not None)
        return tab.closed


def test_who_is_not_logged_in_is_closed_with_4401(live_cast: Cast) -> None:
    async def work() -> None:
        for key in ("", "nonsense", "x" * 5000, "\x7f", "'; --"):
            assert await close_code(key) == 4401, key

    run(work)


def test_a_session_that_ended_opens_nothing(live_cast: Cast) -> None:
    expired, changed, inactive = (
        session_of(user) for user in (live_cast.root, live_cast.sam, live_cast.mallory)
    )
    Session.objects.filter(session_key=expired).update(expire_date="2001-01-01T00:00Z")
    live_cast.sam.set_password("another long password")
    live_cast.sam.save()
    User.objects.filter(pk=live_cast.mallory.pk).update(is_active=False)

    async def work() -> None:
        for key in (expired, changed, inactive):
            assert await close_code(key) == 4401

    run(work)


async def closes_after(tab: Page) -> float:
    started = time.monotonic()
    await tab.until(lambda: tab.closed is not None, seconds=CLOSED_WITHIN_SECONDS)
    return time.monotonic() - started


def test_logging_out_ends_the_open_page_within_five_seconds(live_cast: Cast) -> None:
    key, other = session_of(live_cast.root), session_of(live_cast.root)

    async def work() -> None:
        async with page(key) as tab, page(other) as same_user:
            await tab.listen("home")
            await in_thread(lambda: Session.objects.filter(session_key=key).delete())
            assert await closes_after(tab) < CLOSED_WITHIN_SECONDS
            assert tab.closed == 4401
            assert same_user.closed is None

    run(work)


def test_a_change_of_role_ends_the_open_page_within_five_seconds(live_cast: Cast) -> None:
    key = session_of(live_cast.sam)

    def promote() -> None:
        with transaction.atomic():
            give_seat(user=live_cast.sam, workspace=live_cast.workspace, role=Seat.Role.OWNER)

    async def work() -> None:
        async with page(key) as tab:
            await tab.listen("home")
            await in_thread(promote)
            assert await closes_after(tab) < CLOSED_WITHIN_SECONDS
            assert tab.closed == 4403

    run(work)
