"""What a page may listen to: the topics an event touches, and what one must see to hear of it.

Pure decisions over ids; who sees which ids is read by `dashboard.rights` through the policy.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from typing_extensions import override

HOME, ROOMS, AGENTS, DRAFTS, COSTS, NOTIFICATIONS = (
    "home",
    "rooms",
    "agents",
    "drafts",
    "costs",
    "notifications",
)
ROOM, AGENT, TURN = "room", "agent", "turn"
BROAD = frozenset({HOME, ROOMS, AGENTS, DRAFTS, COSTS, NOTIFICATIONS})
NARROW = frozenset({ROOM, AGENT, TURN})
_ROW_ID = re.compile(r"[1-9][0-9]{0,17}")  # what a bigint holds, spelled in one way

# Whoever sees the room may hear of these; everything else is between an agent and its owner.
_ROOM_TALK = (
    "agent.removed.from.room",
    "membership.",
    "message.",
    "reaction.",
    "room.",
    "user.joined",
)
# Told to the user they are about, and to nobody else.
_FOR_ONESELF = ("command.", "notification.")
_STOPS = ("safety.", "moderation.")
_MONEY = ("llm.", "budget.")
_CHANGE_RIGHTS = (
    "agent.created",
    "demo.",
    "membership.",
    "room.",
    "seat.",
    "user.",
    "workspace.",
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Something a page listens to: `drafts`, or one row such as `room:17`."""

    kind: str
    row_id: int = 0

    @override
    def __str__(self) -> str:
        return f"{self.kind}:{self.row_id}" if self.kind in NARROW else self.kind

    @classmethod
    def parse(cls, text: object) -> Topic | None:
        """Read a topic's name; None when there is no such topic."""
        if not isinstance(text, str):
            return None
        kind, separator, number = text.partition(":")
        if not separator:
            return cls(kind) if kind in BROAD else None
        if kind not in NARROW or not _ROW_ID.fullmatch(number):
            return None
        return cls(kind, int(number))


@dataclass(frozen=True, slots=True)
class Notice:
    """What a page needs to know of an event: that it happened, to what, and whose it is."""

    event_id: int
    type: str
    subject_kind: str
    subject_id: str
    workspace_id: int | None
    agent_id: int | None
    room_id: int | None

    @property
    def changes_rights(self) -> bool:
        """Whether somebody may see more or less than before."""
        return self.type.startswith(_CHANGE_RIGHTS)

    @property
    def is_personal(self) -> bool:
        """Whether only the user it is about may hear of it."""
        return self.type.startswith(_FOR_ONESELF)


@dataclass(frozen=True, slots=True, eq=False)
class Rights:
    """What one user may see, as ids.

    Attributes:
        agents: Agents the user may look at, as a moderator too.
        private: Agents whose drafts, turns and costs the user may read.
        owned: Agents that belong to the user.
        owns: Workspaces whose money and settings the user may read.
        staffs: Workspaces in which the user is owner or moderator.
        alike: The same for users who were read together and may see the same.
    """

    user_id: int
    agents: Collection[int] = frozenset()
    private: Collection[int] = frozenset()
    owned: Collection[int] = frozenset()
    rooms: Collection[int] = frozenset()
    owns: Collection[int] = frozenset()
    staffs: Collection[int] = frozenset()
    alike: object = field(default_factory=object)


def topics_of(notice: Notice) -> list[Topic]:
    """Return everything a page may listen to in order to hear of this event."""
    topics = [Topic(HOME)]
    if notice.agent_id is not None:
        topics += [Topic(AGENT, notice.agent_id), Topic(AGENTS)]
    elif notice.type.startswith(_STOPS):
        topics.append(Topic(AGENTS))
    if notice.room_id is not None:
        topics += [Topic(ROOM, notice.room_id), Topic(ROOMS)]
    if notice.type.startswith("agent.draft"):
        topics.append(Topic(DRAFTS))
    if notice.type.startswith(_MONEY):
        topics.append(Topic(COSTS))
    if notice.subject_kind == TURN and notice.subject_id.isdigit():
        topics.append(Topic(TURN, int(notice.subject_id)))
    if notice.type.startswith("notification."):
        topics.append(Topic(NOTIFICATIONS))
    return topics


def may_listen(topic: Topic, rights: Rights, *, turn_agent: int | None = None) -> bool:
    """Say whether a user may listen to a topic; `turn_agent` is whose turn `turn:<id>` is.

    Words of an unfinished turn go to the agent's owner and to nobody else.
    """
    if topic.kind == ROOM:
        return topic.row_id in rights.rooms
    if topic.kind == AGENT:
        return topic.row_id in rights.agents
    if topic.kind == TURN:
        return turn_agent is not None and turn_agent in rights.owned
    return topic.kind in BROAD


def may_hear(kind: str, notice: Notice, rights: Rights) -> bool:
    """Say whether a listener to a topic of this kind may hear of this event.

    Holding a topic is no right to everything in it: a member of a room does not hear of drafts,
    and `agents` tells of nobody else's agents.
    """
    if notice.is_personal:
        return notice.subject_kind == "user" and notice.subject_id == str(rights.user_id)
    if kind == NOTIFICATIONS:
        return False
    if kind in {DRAFTS, COSTS, TURN}:
        return _sees_private(notice, rights)
    if kind in {AGENT, AGENTS}:
        return _sees_agent(notice, rights)
    if notice.room_id is not None and notice.room_id not in rights.rooms:
        return False
    return _is_room_talk(notice) or _sees_agent(notice, rights)


def _is_room_talk(notice: Notice) -> bool:
    return notice.room_id is not None and notice.type.startswith(_ROOM_TALK)


def _sees_private(notice: Notice, rights: Rights) -> bool:
    if notice.agent_id is not None:
        return notice.agent_id in rights.private
    return notice.workspace_id is not None and notice.workspace_id in rights.owns


def _sees_agent(notice: Notice, rights: Rights) -> bool:
    if notice.agent_id is not None:
        if notice.type.startswith(("agent.draft", "turn.", *_MONEY)):
            return notice.agent_id in rights.private
        return notice.agent_id in rights.agents
    if notice.workspace_id is None:
        # A stop of the whole host concerns everybody who answers for some workspace.
        return notice.type.startswith(_STOPS) and bool(rights.staffs)
    if notice.type.startswith(_STOPS):
        return notice.workspace_id in rights.staffs
    return notice.workspace_id in rights.owns
