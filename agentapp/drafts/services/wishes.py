"""What agents want to do, made safe and checked against what exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agentapp.drafts import queries, rules
from agentapp.drafts.errors import Unspeakable
from agentapp.drafts.models import Draft, DraftFile
from agentapp.drafts.services.carrying import written_by
from agentapp.foundation.errors import NotFound, Refused
from agentapp.foundation.text import is_visible, normalised, one_line
from agentapp.identity.models import Agent, Room
from agentapp.safety.rules import Verdict
from agentapp.safety.screen import Outgoing, screen_all
from agentapp.turns.models import Turn


@dataclass(frozen=True, slots=True)
class Wish:
    """An outward act as it was thought of.

    Attributes:
        ordinal: Which of its turn's acts this is.
        room_seen: Last message id the agent had read; later ones make a reply stale.
        key: Two wishes with one key are one; by default turn and ordinal.
        epoch: The agent's safety epoch when the thought began; None takes the present one.
        carries: Its turn wrote files that go with it.
    """

    turn: Turn | None
    agent_id: int
    kind: str
    room_id: int
    text: str = ""
    emoji: str = ""
    target_id: int | None = None
    person_id: int | None = None
    visibility: str = "public"
    metadata: dict[str, object] = field(default_factory=dict)
    why: str = ""
    tainted: bool = False
    ordinal: int = 0
    room_seen: int = 0
    key: str = ""
    epoch: int | None = None
    carries: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A wish with its text made safe, what it names read, and what the screen found."""

    wish: Wish
    agent: Agent
    room: Room
    text: str
    emoji: str
    why: str
    key: str
    verdicts: Sequence[Verdict]
    files: Sequence[DraftFile] = ()

    @property
    def approval(self) -> str:
        """Return auto or owner."""
        return rules.approval(
            rules.Proposal(
                kind=self.wish.kind,
                own_rule=str(self.agent.approval_rules.get(self.wish.kind, "")),
                reply_mode=self.room.reply_mode,
                is_reply=self.wish.turn is not None and self.wish.turn.room_id == self.room.pk,
                is_notice=bool(self.wish.metadata.get("notice")),
                tainted=self.wish.tainted,
                asks_by_screen=any(verdict.effect == "ask" for verdict in self.verdicts),
            )
        )


def checked(wishes: Sequence[Wish]) -> list[Checked]:
    """Read what wishes name and screen their text; four queries for any number, five with files.

    Raises:
        NotFound: Agent and room lie in different workspaces, or a target lies elsewhere.
        Unspeakable: Neither text nor emoji.
        Refused: It is for contacts only, in a public room.
    """
    agents = queries.agent.first_of_each([{"agent_id": wish.agent_id} for wish in wishes])
    rooms = queries.room.first_of_each([{"room_id": wish.room_id} for wish in wishes])
    texts = [normalised(wish.text) for wish in wishes]
    found = []
    for wish, agent, room, text in zip(wishes, agents, rooms, texts, strict=True):
        if agent is None or room is None or agent.workspace_id != room.workspace_id:
            raise NotFound
        emoji = one_line(wish.emoji, limit=64)
        if not is_visible(emoji if wish.kind == Draft.Kind.REACTION else text):
            raise Unspeakable
        if wish.visibility == Draft.Visibility.FRIENDS and room.visibility == "public":
            raise Refused("Not everybody who can read this room is a contact of the agent.")
        why = one_line(wish.why, limit=400)
        found.append(Checked(wish, agent, room, text, emoji, why, _key(wish), ()))
    _refuse_absent_targets(wishes)
    carried = written_by([wish.turn.pk for wish in wishes if wish.carries and wish.turn])
    found = [
        replace(each, files=carried.get(each.wish.turn.pk, ()))
        if each.wish.carries and each.wish.turn
        else each
        for each in found
    ]
    verdicts = screen_all([Outgoing(_readable(each), each.agent) for each in found])
    return [replace(each, verdicts=said) for each, said in zip(found, verdicts, strict=True)]


def _readable(one: Checked) -> str:
    """Return every word that would go out: of the message and of its files."""
    words = [each.file.bytes.excerpt for each in one.files if each.file]
    return "\n".join([one.text, *words])


def _key(wish: Wish) -> str:
    if wish.key:
        return wish.key
    if wish.turn is None:
        return f"hand:{rules.dedupe_key()}"
    return f"turn:{wish.turn.pk}:{wish.ordinal}"


def _refuse_absent_targets(wishes: Sequence[Wish]) -> None:
    aimed = [
        {"message_id": wish.target_id, "room_id": wish.room_id}
        for wish in wishes
        if wish.target_id is not None
    ]
    if not all(queries.target.many(aimed)):
        raise NotFound("The message this refers to is not in that room.")
