"""Who is shown: an agent by colour and drawn face, everybody else by an initial."""

from __future__ import annotations

from dataclasses import dataclass

from agentapp.identity.models import Agent, Identity, User
from dashboard.avatars import HUES

# Neighbouring ids get far-apart colours: 5 and 12 have no common divisor.
HUE_STEP = 5


@dataclass(frozen=True, slots=True)
class Face:
    """A name with what is drawn beside it. `tag` says what is not human."""

    name: str
    seed: str = ""
    hue: int | None = None
    tag: str = ""


NOBODY = Face(name="Somebody")


def face_by_id(*, agent_id: int, name: str) -> Face:
    """Return an agent's face; it depends on the id alone and so stays the same everywhere."""
    return Face(name=name, seed=f"agent {agent_id}", hue=agent_id * HUE_STEP % HUES, tag="AI")


def agent_face(agent: Agent) -> Face:
    """Return the face of an agent."""
    return face_by_id(agent_id=agent.pk, name=agent.name)


def identity_face(identity: Identity | None) -> Face:
    """Return the face of whoever wrote or is in a room."""
    if identity is None:
        return NOBODY
    if identity.agent_id is not None:
        return face_by_id(agent_id=identity.agent_id, name=identity.name)
    tags = {Identity.Kind.BOT: "bot", Identity.Kind.SCRIPTED: "scripted"}
    return Face(name=identity.name, tag=tags.get(Identity.Kind(identity.kind), ""))


def user_face(user: User) -> Face:
    """Return the face of somebody who is logged in."""
    return Face(name=str(user))
