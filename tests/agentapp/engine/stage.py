"""A stage for the engine: people who talk, agents that decide, a model server that answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction

from agentapp.conversation.models import Message
from agentapp.drafts import publication
from agentapp.drafts.models import Draft
from agentapp.engine import worker
from agentapp.engine.decide import decide_room
from agentapp.engine.outcomes import Begun
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, Place
from agentapp.identity.models import Account, Agent, Identity, Participant, Room, User
from agentapp.identity.services.agents import create_agent
from agentapp.intake import lanes
from agentapp.intake import services as intake
from agentapp.presence.services import add_agent
from agentapp.turns import services as turns
from agentapp.turns.models import Turn
from tests.cast import SPEC, Cast, hold_logins
from tests.fakes.model_server import ModelServer

HOLDER = "test"


@dataclass
class Stage:
    """The cast in its lounge, with the model server behind it where there is one."""

    cast: Cast
    server: ModelServer | None = None

    def say(self, text: str, *, by: User | None = None, **changes: object) -> Message:
        values: dict[str, object] = {
            "user": by or self.cast.sam,
            "room_id": self.cast.lounge.pk,
            "text": text,
        }
        return intake.post_web_message(**values | changes)

    def agent_says(
        self, agent: Agent, text: str, *, reply_to: str = "", room: Room | None = None
    ) -> Message:
        """Have an agent's words stand in the room, as if they had been published."""
        place = room or self.cast.lounge
        accepted = intake.accept(
            Incoming(
                workspace_id=place.workspace_id,
                platform=place.platform,
                place=Place(external_id=place.external_id),
                external_id=f"agent:{agent.pk}:{Message.objects.count()}",
                author=Author(external_id=f"agent:{agent.pk}", name="", kind=AuthorKind.AGENT),
                text=text,
                reply_to=reply_to,
            )
        )
        return Message.objects.get(pk=accepted.message_id)

    def decide(self) -> list[Begun]:
        """Claim everything that is due and decide on it, room by room."""
        rooms = defaultdict(list)
        for lane in lanes.claim(limit=100):
            rooms[lane.room_id].append(lane)
        return [begun for claimed in rooms.values() for begun in decide_room(claimed=claimed)]

    def end(self, begun: Begun) -> None:
        """End a thought as if it had come to something."""
        with transaction.atomic():
            lanes.finish(claimed=begun.lane, through=begun.turn.context["through"])
            turns.finish([turns.Finished(begun.turn, "test")])

    def run(self) -> int:
        """Let this process's crew work until nothing is due."""
        return worker.work_lanes(limit=100)

    def publish(self) -> int:
        """Put into the rooms what is on its way; returns how many pieces."""
        accounts = list(Account.objects.values_list("pk", flat=True))
        hold_logins(HOLDER)
        pieces = publication.claim_due(holder=HOLDER, accounts=accounts, limit=100)
        for piece in pieces:
            where = Place(external_id=piece.room_external_id)
            author = Author(piece.author_external_id, name="", kind=AuthorKind.AGENT)
            message_id = None
            if piece.kind == "message":
                message_id = intake.accept(
                    Incoming(
                        workspace_id=piece.workspace_id,
                        platform=piece.platform,
                        place=where,
                        external_id=piece.dedupe_key,
                        author=author,
                        text=piece.text,
                        reply_to=piece.reply_to,
                    )
                ).message_id
            publication.mark_sent(
                outbound_id=piece.outbound_id,
                holder=HOLDER,
                external_id=piece.dedupe_key,
                message_id=message_id,
            )
        return len(pieces)

    def turn(self, agent: Agent) -> Turn:
        """Return an agent's last decision."""
        return Turn.objects.filter(agent=agent).latest("id")

    def draft(self, agent: Agent) -> Draft:
        return Draft.objects.filter(agent=agent).latest("id")

    def another_agent(self, name: str, **spec: object) -> Agent:
        """Bring one more agent into the lounge."""
        agent = create_agent(
            owner=self.cast.root, workspace=self.cast.workspace, name=name, spec=SPEC | spec
        )
        add_agent(room_id=self.cast.lounge.pk, agent_id=agent.pk, by=self.cast.root)
        return agent

    def direct_room(self, agent: Agent, user: User) -> Room:
        """Open a room for two."""
        room = Room.objects.create(
            workspace=self.cast.workspace,
            platform="local",
            external_id=f"direct:{agent.pk}:{user.pk}",
            kind=Room.Kind.DIRECT,
            visibility=Room.Visibility.PRIVATE,
        )
        Participant.objects.create(room=room, identity=self.cast.identity(user))
        add_agent(room_id=room.pk, agent_id=agent.pk, by=self.cast.root)
        return room

    def set_room(self, **fields: object) -> None:
        """Change the lounge."""
        Room.objects.filter(pk=self.cast.lounge.pk).update(**fields)

    def handle(self, agent: Agent) -> Identity:
        return Identity.objects.get(agent=agent, platform="local")
