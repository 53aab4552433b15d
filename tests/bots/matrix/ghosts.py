"""Agents that are users of an application service, and the service that speaks for them."""

from __future__ import annotations

import json
import secrets
import uuid
from pathlib import Path
from urllib.parse import quote

from agentapp.appservices.makers import Service
from agentapp.appservices.models import ApplicationService
from agentapp.appservices.services import COLUMN, TABLE
from agentapp.foundation.secrets import marks, seal
from bots.matrix.ghosts.making import registration
from tests.bots.matrix.world import V3, Member
from tests.cast import Cast
from tests.fakes.synapse import SERVER_NAME, MatrixUser, Synapse

PREFIX = "agent-"
ID = uuid.uuid5(uuid.NAMESPACE_URL, "ghosts")  # the same in every test: the homeserver stays
OWN, THEIRS = "own-" + secrets.token_hex(16), "theirs-" + secrets.token_hex(16)


def told(address: str, web: str) -> Service:
    return Service(
        id=ID,
        domain=SERVER_NAME,
        address=address,
        prefix=PREFIX,
        url=f"{web}/appservice/{ID}",
        own_token=OWN,
        their_token=THEIRS,
    )


def registered(folder: Path, web: str) -> Path:
    """Write the registration file that the product makes; return where."""
    file = folder / "greenroom.yaml"
    file.write_text(registration(told("http://127.0.0.1", web)), encoding="utf-8")
    return file


def haunt(cast: Cast, synapse: Synapse) -> ApplicationService:
    """Make the application service that the homeserver was registered with."""
    return ApplicationService.objects.create(
        id=ID,
        workspace=cast.workspace,
        platform="matrix",
        domain=SERVER_NAME,
        address=synapse.url,
        prefix=PREFIX,
        sealed=seal(
            table=TABLE, pk=ID, column=COLUMN, text=json.dumps({"own": OWN, "theirs": THEIRS})
        ),
        token_mark=marks(THEIRS)[0],
    )


class GhostMember(Member):
    """A user of the service's namespace, which the tests let act as well."""

    def __init__(self, synapse: Synapse, prefix: str) -> None:
        self._synapse = synapse
        name = f"{PREFIX}{prefix}-{secrets.token_hex(4)}"
        body = {
            "type": "m.login.application_service",
            "username": name,
            "inhibit_login": True,
        }
        synapse.call("POST", f"{V3}/register?kind=user", body, token=OWN)
        self.user_id = f"@{name}:{SERVER_NAME}"
        self.user = MatrixUser(self.user_id, OWN, "GREENROOM", "")

    def call(
        self, method: str, path: str, body: dict[str, object] | None = None
    ) -> dict[str, object]:
        path += ("&" if "?" in path else "?") + f"user_id={quote(self.user_id)}"
        return super().call(method, path, body)


WAYS = ("login", "ghost")
way = WAYS[0]  # set for one test by the fixture `each_way`


def hired(synapse: Synapse, prefix: str) -> Member:
    """Make a user for an agent, in the way of this test."""
    return (GhostMember if way == "ghost" else Member)(synapse, prefix)
