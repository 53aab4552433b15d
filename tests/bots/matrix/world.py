"""Members on a real homeserver, an agent with a login there, and the host that runs it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.appservices.services import add_ghost
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.identity.models import Account, Agent, Room
from agentapp.identity.services.logins import add_login
from agentapp.presence.models import Membership
from bots.bridge import Bridge
from bots.host import Host
from bots.matrix.client import MatrixConnector
from bots.matrix.credentials import Login
from bots.matrix.ghosts.haunting import close_wires
from bots.matrix.ghosts.reader import ServiceReader
from bots.matrix.login import packed
from tests.bots.places import eventually
from tests.cast import Cast
from tests.fakes.synapse import MatrixUser, Synapse

V3 = "/_matrix/client/v3"


class Member:
    """Somebody with an ordinary client."""

    def __init__(self, synapse: Synapse, prefix: str) -> None:
        self._synapse = synapse
        self.user: MatrixUser = synapse.user(prefix)
        self.user_id = self.user.user_id

    def call(
        self, method: str, path: str, body: dict[str, object] | None = None
    ) -> dict[str, object]:
        answer = self._synapse.call(method, V3 + path, body, token=self.user.token)
        assert isinstance(answer, dict)
        return answer

    def opens(self, *others: str, **fields: object) -> str:
        """Open a room and invite others into it."""
        return str(self.call("POST", "/createRoom", {"invite": list(others), **fields})["room_id"])

    def joins(self, room: str) -> None:
        self.call("POST", f"/join/{quote(room)}", {})

    def sends(self, room: str, kind: str, content: dict[str, object]) -> str:
        path = f"/rooms/{quote(room)}/send/{kind}/{secrets.token_hex(8)}"
        return str(self.call("PUT", path, content)["event_id"])

    def says(self, room: str, body: str, **content: object) -> str:
        return self.sends(
            room, "m.room.message", {"msgtype": "m.text", "body": body, "m.mentions": {}, **content}
        )

    def sets(self, room: str, kind: str, content: dict[str, object]) -> str:
        return str(self.call("PUT", f"/rooms/{quote(room)}/state/{kind}/", content)["event_id"])

    def edits(self, room: str, event_id: str, body: str) -> str:
        return self.says(
            room,
            f"* {body}",
            **{
                "m.new_content": {"msgtype": "m.text", "body": body},
                "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
            },
        )

    def reacts(self, room: str, event_id: str, key: str) -> str:
        about = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return self.sends(room, "m.reaction", {"m.relates_to": about})

    def redacts(self, room: str, event_id: str) -> None:
        path = f"/rooms/{quote(room)}/redact/{quote(event_id)}/{secrets.token_hex(8)}"
        self.call("PUT", path, {})

    def reads(self, room: str) -> list[dict[str, Any]]:
        """Return what the room shows this member, the oldest first."""
        events: list[dict[str, Any]] = []
        path = f"/rooms/{quote(room)}/messages?dir=b&limit=100"
        page = self.call("GET", path)
        while chunk := page["chunk"]:
            assert isinstance(chunk, list)
            events += chunk
            if "end" not in page:
                break
            page = self.call("GET", f"{path}&from={quote(str(page['end']))}")
        return events[::-1]

    def hears(self, room: str, sender: str) -> list[str]:
        """Return the words of somebody's messages in a room."""
        return [
            str(content.get("body"))
            for event in self.reads(room)
            if event["sender"] == sender
            and event["type"] == "m.room.message"
            and isinstance(content := event["content"], dict)
            and content
        ]


def login_agent(cast: Cast, agent: Agent, synapse: Synapse, member: Member) -> Account:
    """Give an agent the login of a user on the homeserver."""
    service = ApplicationService.objects.filter(workspace=agent.workspace_id).first()
    if service is not None and member.user_id.startswith(f"@{service.prefix}"):
        return add_ghost(
            service_id=service.pk, agent_id=agent.pk, localpart=member.user_id, by=cast.root
        )
    user = member.user
    login = Login(synapse.url, user.user_id, user.device_id, user.token)
    return add_login(
        agent_id=agent.pk,
        platform="matrix",
        external_id=user.user_id,
        name=agent.name,
        secret=packed(login),
        by=cast.root,
    )


@asynccontextmanager
async def matrix_host(
    bridge: Bridge, maker: type[MatrixConnector] = MatrixConnector
) -> AsyncIterator[Host]:
    """Run a host of Matrix logins until the block ends."""
    stop = asyncio.Event()
    host = Host(makers={"matrix": maker}, readers={"matrix": ServiceReader}, bridge=bridge)
    task = asyncio.create_task(host.run(stop))
    try:
        yield host
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
        await close_wires(bridge)


def health(agent: Agent) -> tuple[str, str]:
    row = Account.objects.get(agent=agent, platform="matrix")
    return row.health, row.last_error


async def connected(bridge: Bridge, agent: Agent) -> None:
    """Wait until the agent's login has read its first sync, or hears through its service."""
    await eventually(bridge, partial(listens, agent), True, seconds=20)


def listens(agent: Agent) -> bool:
    ghost = Ghost.objects.filter(account__agent=agent).select_related("service", "account").first()
    if ghost is None:
        return cursor_of(agent) != ""
    return ghost.service.health == "ok" and ghost.account.health == "ok"


def cursor_of(agent: Agent) -> str:
    cursor = Account.objects.values_list("cursor", flat=True).get(agent=agent, platform="matrix")
    return str(cursor.get("since", ""))


def room_of(external_id: str) -> Room:
    return Room.objects.get(platform="matrix", external_id=external_id)


def record_of(external_id: str) -> list[str]:
    """Return what is on record of a room, in the order in which agents read it."""
    return list(
        Message.objects.filter(
            room__external_id=external_id, is_known=True, deleted_at__isnull=True
        )
        .order_by("id")
        .values_list("text", flat=True)
    )


def membership_of(agent: Agent, external_id: str) -> str:
    rows = Membership.objects.filter(agent=agent, room__external_id=external_id).order_by("-id")
    return rows.values_list("state", flat=True).first() or ""


def answers(agent: Agent, external_id: str, text: str, *, to: str = "", **fields: object) -> Draft:
    """Let an agent say something that may leave at once."""
    Agent.objects.filter(pk=agent.pk).update(
        approval_rules=dict.fromkeys(("message", "comment", "reaction"), "auto")
    )
    target = Message.objects.get(external_id=to).pk if to else None
    return propose(
        Wish(
            turn=None,
            agent_id=agent.pk,
            room_id=room_of(external_id).pk,
            text=text,
            target_id=target,
            **{"kind": "message", **fields},  # type: ignore[arg-type]
        )
    )
