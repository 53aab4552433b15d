"""The rooms of a measurement, and the members who talk in them."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.processes import MODEL_PORT
from tests.fakes.model_server import KEY

if TYPE_CHECKING:
    from agentapp.identity.models import Agent, Room, User

AGENTS = 10
HANDS = 16  # threads in which a crowd says something at once, as web processes have
LOOK_SECONDS = 0.03  # between two counts of what is published
PATIENCE_SECONDS = 300.0


def seed(rooms: int) -> list[tuple[User, Room]]:
    """Open rooms, each with one member and one agent; every reply goes out by itself."""
    from agentapp.identity.models import Seat, User
    from agentapp.identity.services.agents import create_agent
    from agentapp.identity.services.rooms import create_room, join_room, set_reply_mode
    from agentapp.identity.services.tenancy import create_workspace, give_seat
    from agentapp.llm.models import Budget
    from agentapp.presence.services import add_agent
    from tests.fakes.connecting import connect

    owner = User.objects.create_user(username=f"owner{time.monotonic_ns()}")
    workspace = create_workspace(user=owner, name="Bench")
    server: Any = SimpleNamespace(base_url=f"http://127.0.0.1:{MODEL_PORT}/v1", key=KEY)
    connect(workspace, server)
    Budget.objects.update_or_create(
        workspace=workspace, agent=None, defaults={"day_micros": 1_000_000_000}
    )
    spec: dict[str, object] = {"instructions": "You are a calm gardener.", "interests": ["plants"]}
    agents: list[Agent] = [
        create_agent(owner=owner, workspace=workspace, name="Ada", spec=spec) for _ in range(AGENTS)
    ]
    places = []
    for n in range(rooms):
        member = User.objects.create_user(username=f"m{n}-{time.monotonic_ns()}")
        give_seat(user=member, workspace=workspace, role=Seat.Role.MEMBER)
        room = create_room(workspace=workspace, name=f"Room {n}", visibility="public", by=owner)
        set_reply_mode(room_id=room.pk, mode="own", by=owner)
        join_room(room_id=room.pk, user=member)
        add_agent(room_id=room.pk, agent_id=agents[n % AGENTS].pk, by=owner)
        places.append((member, room))
    return places


def warm(places: list[tuple[User, Room]]) -> None:
    """Let every process answer in each room once: imports, pools, leases and caches are warm."""
    done = published()
    say_at_once(places, "Ada, hello!")
    wait_for_replies(done + len(places))


def say(user: User, room: Room, text: str) -> None:
    """Say something as the member's page does."""
    from agentapp.intake.services import post_web_message

    post_web_message(user=user, room_id=room.pk, text=text)


def say_at_once(places: list[tuple[User, Room]], text: str) -> None:
    """Let everybody say something, each in their room, in threads as a web process does."""
    from agentapp.foundation.database import fresh_connection

    def one(place: tuple[User, Room]) -> None:
        with fresh_connection():
            say(*place, text)

    with ThreadPoolExecutor(HANDS) as hands:
        list(hands.map(one, places))


def published() -> int:
    """Return how many replies are published."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        return _published(connection)


def wait_for_replies(count: int) -> None:
    """Wait until so many replies are published, whoever asked; give up after five minutes."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while (done := _published(connection)) < count:
            if time.monotonic() > give_up:
                raise SystemExit(f"only {done} of {count} replies were published")
            time.sleep(LOOK_SECONDS)


def _published(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM agentapp_outbound WHERE state = 'sent'", prepare=True
    ).fetchone()
    return int(row[0]) if row else 0


def latencies(*, newest: int) -> list[float]:
    """Return question-to-reply times of the newest published replies, by the database's clock."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM reply.created_at - question.created_at) * 1000"
            " FROM agentapp_outbound o JOIN agentapp_message reply ON reply.id = o.message_id"
            " JOIN agentapp_draft d ON d.id = o.draft_id"
            " JOIN agentapp_message question ON question.id = d.target_id"
            " WHERE o.state = 'sent' ORDER BY o.id DESC LIMIT %s",
            [newest],
        ).fetchall()
    return [float(value) for (value,) in rows]
