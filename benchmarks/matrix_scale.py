"""What one message costs in a Matrix room with 200 agents, in both ways of being on a homeserver.

Each agent with a login of its own asks the homeserver for news; agents of an application service
are handed each event once. Both run over the same real Synapse (on SQLite), with one real `bots`
process, the web server and embedded Postgres (fsync on); the one is the other's baseline. Nobody
answers: no model is asked.

    python -m benchmarks.matrix_scale --agents 200

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from agentapp.management.stack import commands
from benchmarks.measuring import (
    memory_bytes,
    percentile,
    postgres_processes,
    processor_seconds,
)
from benchmarks.processes import process, stage, wait_for_port
from tests.fakes.synapse import SERVER_NAME, MatrixUser, Synapse

if TYPE_CHECKING:
    from agentapp.appservices.models import ApplicationService
    from agentapp.identity.models import Workspace

WEB_PORT = 19_023
V3 = "/_matrix/client/v3"
PREFIX = "agent-"
MESSAGES = 20
BETWEEN_SECONDS = 1.5  # every login has asked again by then
IDLE_SECONDS = 15.0
UP_SECONDS = 300.0


@dataclass(frozen=True)
class Town:
    """What both ways share."""

    synapse: Synapse
    service_id: uuid.UUID
    own_token: str
    their_token: str
    web: int


def main() -> None:
    """Measure both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=200)
    count = parser.parse_args().agents
    os.environ["MATRIX_ALLOW_PRIVATE"] = "yes"  # settings are read once
    with stage(), town() as place:
        print(
            f"one message in a room with {count} agents\n\n{'':14}{'p50 ms':>9}{'p95 ms':>9}"
            f"{'bots ms':>9}{'Postgres':>10}{'web':>7}{'Synapse':>9}{'idle %':>8}{'MB':>8}"
        )
        cases = [_measured(place, way, count) for way in ("logins", "ghosts")]
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"benchmark": "matrix_scale", "agents": count, "load": load, "cases": cases}))


@contextmanager
def town() -> Iterator[Town]:
    """Run a homeserver that hands over to our web server."""
    from agentapp.appservices.makers import Service
    from bots.matrix.ghosts.making import registration

    service_id, own, theirs = uuid.uuid4(), secrets.token_hex(16), secrets.token_hex(16)
    web = f"http://127.0.0.1:{WEB_PORT}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "greenroom.yaml"
        told = Service(
            id=service_id,
            domain=SERVER_NAME,
            address="",
            prefix=PREFIX,
            url=f"{web}/appservice/{service_id}",
            own_token=own,
            their_token=theirs,
        )
        file.write_text(registration(told), encoding="utf-8")
        synapse = Synapse(Path(folder), registrations=[file])
        synapse.start()
        try:
            with process(*commands.web(host="127.0.0.1", port=WEB_PORT)) as pid:
                wait_for_port(WEB_PORT, seconds=60)
                yield Town(synapse, service_id, own, theirs, pid)
        finally:
            synapse.stop()


def _measured(place: Town, way: str, count: int) -> dict[str, object]:
    from agentapp.identity.models import Account

    ann = place.synapse.user("ann")
    room = str(_call(place, ann, "POST", "/createRoom", {"preset": "public_chat"})["room_id"])
    Account.objects.all().delete()
    _hire(place, way, count, room)
    with process(*commands.BOTS) as bots:
        _until(lambda: Account.objects.filter(platform="matrix", health="ok").count(), count)
        _until(lambda: _inside(room), count)
        pids = {
            "bots": [bots],
            "postgres": postgres_processes(os.environ["DATABASE_URL"]),
            "web": [place.web],
            "synapse": [place.synapse.pid],
        }
        delays: list[float] = []
        _say(place, ann, room, delays, count)  # warms
        time.sleep(BETWEEN_SECONDS)
        delays.clear()
        before = {name: processor_seconds(some) for name, some in pids.items()}
        for _ in range(MESSAGES):
            _say(place, ann, room, delays, count)
            time.sleep(BETWEEN_SECONDS)
        spent = {
            name: (processor_seconds(some) - before[name]) * 1000 / MESSAGES
            for name, some in pids.items()
        }
        idle = processor_seconds([bots])
        time.sleep(IDLE_SECONDS)
        idle = (processor_seconds([bots]) - idle) / IDLE_SECONDS
        found: dict[str, object] = {
            "way": way,
            "p50_ms": round(percentile(delays, 0.5)),
            "p95_ms": round(percentile(delays, 0.95)),
            **{f"{name}_cpu_ms": round(value, 1) for name, value in spent.items()},
            "idle_percent": round(100 * idle, 2),
            "memory_mb": round(memory_bytes(bots) / 1e6, 1),
        }
    print(
        f"{way:14}{found['p50_ms']:>9}{found['p95_ms']:>9}{found['bots_cpu_ms']:>9}"
        f"{found['postgres_cpu_ms']:>10}{found['web_cpu_ms']:>7}{found['synapse_cpu_ms']:>9}"
        f"{found['idle_percent']:>8}{found['memory_mb']:>8}",
        flush=True,
    )
    return found


def _hire(place: Town, way: str, count: int, room: str) -> None:
    """Make agents, their users on the homeserver, and have those join the room."""
    from agentapp.appservices.services import add_ghost
    from agentapp.identity.models import User
    from agentapp.identity.services.agents import create_agent
    from agentapp.identity.services.logins import add_login
    from agentapp.identity.services.tenancy import create_workspace
    from bots.matrix.credentials import Login
    from bots.matrix.login import packed

    owner = User.objects.create_user(username=f"owner-{way}")
    workspace = create_workspace(user=owner, name=way)
    service = _service(place, workspace) if way == "ghosts" else None
    spec: dict[str, object] = {"instructions": "You are calm.", "interests": ["tea"]}
    for n in range(count):
        agent = create_agent(owner=owner, workspace=workspace, name=f"A{n}", spec=spec)
        if service is not None:
            account = add_ghost(
                service_id=service.pk, agent_id=agent.pk, localpart=f"a{n}", by=owner
            )
            user = MatrixUser(account.external_id, place.own_token, "", "")
            path = f"/join/{quote(room)}?user_id={quote(account.external_id)}"
        else:
            user = place.synapse.user("scale")
            login = Login(place.synapse.url, user.user_id, user.device_id, user.token)
            add_login(
                agent_id=agent.pk,
                platform="matrix",
                external_id=user.user_id,
                name=agent.name,
                secret=packed(login),
                token=user.token,
                by=owner,
            )
            path = f"/join/{quote(room)}"
        _call(place, user, "POST", path, {})
    _without_web_rooms()


def _without_web_rooms() -> None:
    from agentapp.identity.models import Account

    Account.objects.filter(platform="local").delete()


def _service(place: Town, workspace: Workspace) -> ApplicationService:
    from agentapp.appservices.models import ApplicationService
    from agentapp.appservices.services import COLUMN, TABLE
    from agentapp.foundation.secrets import marks, seal

    tokens = json.dumps({"own": place.own_token, "theirs": place.their_token})
    return ApplicationService.objects.create(
        id=place.service_id,
        workspace=workspace,
        platform="matrix",
        domain=SERVER_NAME,
        address=place.synapse.url,
        prefix=PREFIX,
        sealed=seal(table=TABLE, pk=place.service_id, column=COLUMN, text=tokens),
        token_mark=marks(place.their_token)[0],
    )


def _inside(room: str) -> int:
    from agentapp.presence.models import Membership

    return Membership.objects.filter(
        room__external_id=room, left_at__isnull=True, state="active"
    ).count()


def _say(place: Town, ann: MatrixUser, room: str, delays: list[float], count: int) -> None:
    """Say something; note how long it takes until it waits for every agent in the room."""
    from agentapp.conversation.models import Message
    from agentapp.intake.models import Lane

    words = f"What grows in the shade? {secrets.token_hex(4)}"
    content = {"msgtype": "m.text", "body": words, "m.mentions": {}}
    begun = time.monotonic()
    _call(
        place,
        ann,
        "PUT",
        f"/rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}",
        content,
    )

    def waiting() -> int:
        message = Message.objects.filter(text=words).values_list("pk", flat=True).first()
        if message is None:
            return -1
        return Lane.objects.filter(room__external_id=room, wanted_through__gte=message).count()

    _until(waiting, count, every=0.01)
    delays.append((time.monotonic() - begun) * 1000)


def _call(
    place: Town, user: MatrixUser, method: str, path: str, body: Mapping[str, object]
) -> dict[str, object]:
    found: dict[str, object] = place.synapse.call(method, V3 + path, body, token=user.token)
    return found


def _until(question: Callable[[], int], answer: int, *, every: float = 0.2) -> None:
    give_up = time.monotonic() + UP_SECONDS
    while question() != answer:
        if time.monotonic() > give_up:
            raise SystemExit("it did not come so far in time")
        time.sleep(every)


if __name__ == "__main__":
    main()
