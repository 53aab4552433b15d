from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.rooms import create_room
from agentapp.presence.services import add_agent
from tests.cast import SPEC, Cast, make_message
from tests.dashboard.pages.world import make_draft

# The most that a whole page may ask the database, login and frame included.
LIMITS = {"home": 60, "approvals": 30, "rooms": 20, "agents": 20, "room": 35, "costs": 25}


def grow(cast: Cast, count: int) -> None:
    for n in range(count):
        room = create_room(
            workspace=cast.workspace, name=f"Room {n}", visibility="public", by=cast.root
        )
        agent = create_agent(owner=cast.root, workspace=cast.workspace, name=f"A{n}", spec=SPEC)
        add_agent(room_id=room.pk, agent_id=agent.pk, by=cast.root)
        make_message(cast, cast.sam, f"Hello {n}", room=room)
        make_message(cast, cast.mallory, f"Hello again {n}")
        if n % 3 == 0:
            make_draft(cast, text=f"Words {n}")


def asked(browser: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser.get(address).status_code == 200
    return len(queries)


def test_no_page_asks_more_for_a_hundred_rows_than_for_ten(cast: Cast, root: Client) -> None:
    addresses = {
        name: reverse(name, args=[cast.lounge.pk] if name == "room" else []) for name in LIMITS
    }
    grow(cast, 10)
    root.get(addresses["home"])
    few = {name: asked(root, address) for name, address in addresses.items()}
    grow(cast, 90)
    many = {name: asked(root, address) for name, address in addresses.items()}
    assert {name: many[name] for name in LIMITS if many[name] > few[name]} == {}
    assert {name: many[name] for name in LIMITS if many[name] > LIMITS[name]} == {}
