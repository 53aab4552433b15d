"""Fills a running host with rooms and members; run with the environment of one of its processes.

    python -m tests.faults.settling_in http://127.0.0.1:9009/v1 8

Prints one JSON list: a token and a room for each member.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import django

django.setup()

from agentapp.identity.models import Seat
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.rooms import create_room, join_room, set_reply_mode
from agentapp.identity.services.tenancy import create_workspace, give_seat
from agentapp.identity.services.tokens import make_api_token
from agentapp.presence.services import add_agent
from tests.cast import SPEC, make_user
from tests.fakes.connecting import connect, give_budget
from tests.fakes.model_server import KEY


def main(base_url: str, members: int) -> list[dict[str, object]]:
    """Make everybody; every reply goes out by itself."""
    owner = make_user("storm")
    workspace = create_workspace(user=owner, name="Storm")
    server: Any = SimpleNamespace(base_url=base_url, key=KEY)
    connect(workspace, server)
    give_budget(workspace, 10**12)
    agent = create_agent(owner=owner, workspace=workspace, name="Ada", spec=SPEC)
    made: list[dict[str, object]] = []
    for n in range(members):
        member = make_user(f"member{n}")
        give_seat(user=member, workspace=workspace, role=Seat.Role.MEMBER)
        room = create_room(workspace=workspace, name=f"Room {n}", visibility="public", by=owner)
        set_reply_mode(room_id=room.pk, mode="own", by=owner)
        join_room(room_id=room.pk, user=member)
        add_agent(room_id=room.pk, agent_id=agent.pk, by=owner)
        _, token = make_api_token(user=member, name="storm", scopes=["read", "write"])
        made.append({"token": token, "room": room.pk})
    return made


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
