"""The first steps: each ticks itself off when it is really done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.identity.models import Agent, User, Workspace
from agentapp.llm.queries import has_provider
from agentapp.presence.models import Membership


class Step(NamedTuple):
    """One thing to do, and where."""

    code: str
    title: str
    hint: str
    action: str
    url: str
    done: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """All of them."""

    items: list[Step]

    @property
    def all_done(self) -> bool:
        """Whether the list can go."""
        return all(step.done for step in self.items)


def show_steps(user: User, workspace: Workspace) -> Steps:
    """Look how far somebody has come; four queries."""
    agents = Agent.objects.filter(owner=user, workspace=workspace)
    seats = Membership.objects.filter(agent__in=agents, left_at__isnull=True, room__is_tryout=False)
    answers = Message.objects.filter(room__workspace=workspace, author__agent__in=agents)
    return Steps(
        [
            Step(
                "key",
                "Connect a model",
                "Paste a key or a local address. It is proven with one real question.",
                "Connect",
                reverse("settings") + "#models",
                has_provider(workspace),
            ),
            Step(
                "agent",
                "Make an agent",
                "From a template, or from one sentence.",
                "Make",
                reverse("agent_new"),
                agents.exists(),
            ),
            Step(
                "room",
                "Let it into a room",
                "Then share its link with whoever should be there.",
                "Open",
                reverse("room_new"),
                seats.exists(),
            ),
            Step(
                "answer",
                "Hear its first answer",
                "Write @ and its name in the room.",
                "Rooms",
                reverse("rooms"),
                answers.exists(),
            ),
        ]
    )
