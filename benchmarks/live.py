"""How soon open pages hear of a change: from the commit to the browser's websocket.

Pages of 1 to 1,000 people listen to one room in the real web server (one process), with embedded
Postgres (fsync on) and the broker; 500 more pages stand beside them that never read what they are
sent. The baseline in the same run is a bare Channels consumer with group_send, which checks no
right, reads no database and has no stalled pages beside it.

    python -m benchmarks.live --clients 1,100,500,1000

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentapp.management.stack import commands
from benchmarks.measuring import percentile, processor_seconds
from benchmarks.processes import process, stage, wait_for_port
from benchmarks.sockets import Client, connected

if TYPE_CHECKING:
    from agentapp.identity.models import Room, User

OWN_PORT, PLAIN_PORT = 19_021, 19_022
STALLED = 500
WARM_TIMES, WARM_SECONDS = 24, 5.0
IDLE_SHARE = 0.1  # of a core
DELIVERIES = 12_000  # of one case, so that the server burns more than a few ticks
FEWEST, MOST = 12, 60  # messages of one case
BETWEEN_SECONDS = 0.3  # longer than changes are gathered
PATIENCE_SECONDS = 20.0
PLAIN = (
    "-m",
    "uvicorn",
    "benchmarks.plain_channels:application",
    *("--host", "127.0.0.1", "--port", str(PLAIN_PORT), "--log-level", "warning"),
    *("--no-access-log", "--lifespan", "off", "--ws-per-message-deflate", "false"),
)


Tell: TypeAlias = Callable[[list[Client]], Awaitable[tuple[int, float]]]


@dataclass(frozen=True)
class Measured:
    """One case: delays in milliseconds, processor time in microseconds.

    `cpu` is per page that heard; `cpu_told` per page that was told, stalled ones too.
    """

    name: str
    clients: int
    delays: list[float]
    cpu: float
    cpu_told: float
    share_heard: float


def main() -> None:
    """Run every case with its baseline and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="1,100,500,1000")
    counts = [int(word) for word in parser.parse_args().clients.split(",")]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with (
        stage(),
        process(*commands.web(host="127.0.0.1", port=OWN_PORT)) as own,
        process(*PLAIN) as plain,
    ):
        wait_for_port(OWN_PORT, seconds=60)
        wait_for_port(PLAIN_PORT, seconds=60)
        room, users, cookies = _people(max(counts) + STALLED)
        print(f"a change to one room, heard by its pages; {STALLED} stalled pages beside ours\n")
        print(
            f"{'':22}{'pages':>7}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'CPU us':>9}{'told us':>9}"
            f"{'heard':>8}"
        )
        found = asyncio.run(_all(counts, room, users[0], cookies, own=own, plain=plain))
    print(_summary(found))


def _people(count: int) -> tuple[Room, list[User], list[str]]:
    """Make people with a session each, and a public room that all of them may read."""
    from django.conf import settings
    from django.test import Client as Browser

    from agentapp.identity.models import Seat, User
    from agentapp.identity.services.rooms import create_room, join_room
    from agentapp.identity.services.tenancy import create_workspace, give_seat

    owner = User.objects.create_user(username="owner")
    workspace = create_workspace(user=owner, name="Bench")
    room = create_room(workspace=workspace, name="Room", visibility="public", by=owner)
    users, cookies = [], []
    for n in range(count):
        user = User.objects.create_user(username=f"m{n}")
        give_seat(user=user, workspace=workspace, role=Seat.Role.MEMBER)
        browser = Browser()
        browser.force_login(user)
        users.append(user)
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}")
    join_room(room_id=room.pk, user=users[0])
    return room, users, cookies


async def _all(
    counts: list[int], room: Room, user: User, cookies: list[str], *, own: int, plain: int
) -> list[Measured]:
    from dashboard.border import call

    hello = json.dumps({"op": "subscribe", "topics": [f"room:{room.pk}"]})

    async def tell_own(_clients: list[Client]) -> tuple[int, float]:
        return await call(_say, user, room)

    numbers = iter(range(1, 1_000_000))

    async def tell_plain(clients: list[Client]) -> tuple[int, float]:
        number, at = next(numbers), time.monotonic()
        clients[0].say(json.dumps({"id": number}))
        return number, at

    found = []
    for count in counts:
        clients = await connected(port=OWN_PORT, cookies=cookies[:count], hello=hello)
        await _warm(clients, tell_own)
        # Last, because the server lets go of whoever does not read for long.
        stalled = await connected(
            port=OWN_PORT, cookies=cookies[-STALLED:], hello=hello, is_stalled=True
        )
        await _until_idle(own)
        found.append(await _measure("Greenroom", clients, tell_own, pid=own, stalled=STALLED))
        _print(found[-1])
        await _end([*stalled, *clients])
        clients = await connected(port=PLAIN_PORT, cookies=cookies[:count])
        await _warm(clients, tell_plain)
        found.append(await _measure("plain Channels", clients, tell_plain, pid=plain))
        _print(found[-1])
        await _end(clients)
    return found


def _say(user: User, room: Room) -> tuple[int, float]:
    """Write a message; return its number and when it was committed."""
    from django.db import transaction

    from agentapp.intake.services import post_web_message

    at: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: at.append(time.monotonic()))
        message = post_web_message(user=user, room_id=room.pk, text="What grows in the shade?")
    return message.pk, at[0]


async def _warm(clients: list[Client], tell: Tell) -> None:
    """Tell until everybody hears: only then all of them are listening."""
    for _ in range(WARM_TIMES):
        if len(await _told(clients, *await tell(clients), seconds=WARM_SECONDS)) == len(clients):
            return
    raise SystemExit("not everybody began to listen")


async def _until_idle(pid: int) -> None:
    """Wait until a server has done what it was asked at its connections' beginning."""
    while True:
        burnt = processor_seconds([pid])
        await asyncio.sleep(0.5)
        if processor_seconds([pid]) - burnt < IDLE_SHARE * 0.5:
            return


async def _measure(
    name: str,
    clients: list[Client],
    tell: Tell,
    *,
    pid: int,
    stalled: int = 0,
) -> Measured:
    messages = min(max(DELIVERIES // len(clients), FEWEST), MOST)
    delays: list[float] = []
    burnt = processor_seconds([pid])
    for _ in range(messages):
        delays += await _told(clients, *await tell(clients))
        await asyncio.sleep(BETWEEN_SECONDS)
    burnt = processor_seconds([pid]) - burnt
    return Measured(
        name=name,
        clients=len(clients),
        delays=delays,
        cpu=burnt / max(len(delays), 1) * 1e6,
        cpu_told=burnt / max(len(delays) + stalled * messages, 1) * 1e6,
        share_heard=len(delays) / (messages * len(clients)),
    )


async def _told(
    clients: list[Client], number: int, at: float, *, seconds: float = PATIENCE_SECONDS
) -> list[float]:
    """Wait until everybody has heard of it; return how long each waited."""
    if any(one.is_closed for one in clients):
        raise SystemExit("a page was turned away")
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and any(number not in one.heard for one in clients):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return [(one.heard[number] - at) * 1000 for one in clients if number in one.heard]


async def _end(clients: list[Client]) -> None:
    for client in clients:
        client.transport.abort()
    await asyncio.sleep(1.0)


def _print(one: Measured) -> None:
    shares = "".join(f"{percentile(one.delays, share):9.1f}" for share in (0.5, 0.95, 0.99))
    print(
        f"{one.name:22}{one.clients:7}{shares}{one.cpu:9.0f}{one.cpu_told:9.0f}{one.share_heard:8.1%}",
        flush=True,
    )


def _summary(found: list[Measured]) -> str:
    cases = [
        {
            "name": one.name,
            "pages": one.clients,
            "p50_ms": round(percentile(one.delays, 0.5), 1),
            "p95_ms": round(percentile(one.delays, 0.95), 1),
            "p99_ms": round(percentile(one.delays, 0.99), 1),
            "cpu_us_per_delivery": round(one.cpu),
            "cpu_us_per_page_told": round(one.cpu_told),
            "heard": round(one.share_heard, 4),
        }
        for one in found
    ]
    load = round(os.getloadavg()[0], 1)
    return json.dumps({"benchmark": "live", "stalled": STALLED, "load": load, "cases": cases})


if __name__ == "__main__":
    main()
