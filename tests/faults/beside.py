"""Owners, moderators and the clock, cut off in what they do beside answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Room
from agentapp.memory.models import Memory
from tests.faults import errands, roles
from tests.faults.errands import ERRAND_OF

if TYPE_CHECKING:
    from tests.faults.storm import Storm

UNDO_PASSES = 6  # seconds in which an approval can be undone
CALL_PASSES = 600  # seconds; longer than a model call may take
TALK_PASSES = 2_400  # seconds; a talk is over after half an hour
STOP_SECONDS = 60


class Beside:
    """One agent whose words wait for its owner, in a room that shows what came of each."""

    def __init__(self, storm: Storm, *, agent: Agent, room: Room) -> None:
        self._storm = storm
        self._agent = agent
        self._room = room
        self._expected: list[str] = []
        self._numbers = count(1)
        Agent.objects.filter(pk=agent.pk).update(approval_rules={"message": "owner"})
        self._ways: dict[str, Callable[[str], None]] = {
            "edit.written": self._edited,
            "rejection.written": self._rejected,
            "undo.written": self._undone,
            "retraction.written": self._retracted,
            "stop.written": self._stopped,
            "stop.committed": self._stopped,
            "lift.written": self._lifted,
            "stop.ended": self._ended,
            "expiry.written": self._expired,
            "loss.written": self._lost,
            "talk.claimed": self._talked,
            "talk.written": self._talked,
            "vector.written": self._remembered,
        }
        assert set(self._ways) == set(ERRAND_OF)

    def kill_at(self, point: str) -> None:
        """Cut off what passes a point, let it be done again, and note what has to come of it."""
        self._ways[point](point)

    def found(self) -> tuple[list[str], list[str], list[str]]:
        """Return what is missing in the room, what is there twice, and what should not be there."""
        shown = Message.objects.filter(
            author__agent=self._agent, room=self._room, is_known=True, deleted_at__isnull=True
        )
        said = list(shown.order_by("pk").values_list("text", flat=True))
        counts = Counter(said)
        return (
            [text for text in self._expected if not counts[text]],
            [text for text, n in counts.items() if n > 1],
            [text for text in said if text not in self._expected],
        )

    def _card(self) -> Draft:
        text = f"card {next(self._numbers)}"
        return propose(
            Wish(
                turn=None,
                agent_id=self._agent.pk,
                kind="message",
                room_id=self._room.pk,
                text=text,
            )
        )

    def _send(self) -> None:
        """Let whatever waits or was approved leave."""
        roles.approve()
        self._storm.let_pass(UNDO_PASSES)
        roles.send()

    def _edited(self, point: str) -> None:
        draft = self._card()
        said = {"draft_id": draft.pk, "text": f"{draft.text}, edited"}
        self._storm.kill(point, "edit", **said)
        errands.edit(**said)  # type: ignore[arg-type]
        self._expected.append(f"{draft.text}, edited")
        self._send()

    def _rejected(self, point: str) -> None:
        draft = self._card()
        self._storm.kill(point, "reject", draft_id=draft.pk)
        errands.reject(draft_id=draft.pk)
        self._send()

    def _undone(self, point: str) -> None:
        draft = self._card()
        roles.approve()
        self._storm.kill(point, "undo", draft_id=draft.pk)
        errands.undo(draft_id=draft.pk)
        errands.reject(draft_id=draft.pk)
        self._send()

    def _retracted(self, point: str) -> None:
        draft = self._card()
        self._send()
        self._storm.kill(point, "retract", draft_id=draft.pk)
        errands.retract(draft_id=draft.pk)
        roles.send()

    def _stopped(self, point: str) -> None:
        self._card()
        roles.approve()
        self._storm.kill(point, "suspend", agent_id=self._agent.pk)
        errands.suspend(agent_id=self._agent.pk)
        self._send()
        errands.lift(agent_id=self._agent.pk)

    def _lifted(self, point: str) -> None:
        errands.suspend(agent_id=self._agent.pk)
        self._storm.kill(point, "lift", agent_id=self._agent.pk)
        errands.lift(agent_id=self._agent.pk)
        self._says_again()

    def _ended(self, point: str) -> None:
        errands.suspend(agent_id=self._agent.pk, seconds=STOP_SECONDS)
        self._storm.let_pass(STOP_SECONDS + 1)
        self._cut_off(point, "safety")
        self._says_again()

    def _says_again(self) -> None:
        self._expected.append(self._card().text)
        self._send()

    def _expired(self, point: str) -> None:
        draft = self._card()
        Draft.objects.filter(pk=draft.pk).update(expires_at=clock.now())
        self._cut_off(point, "drafts")
        self._send()

    def _lost(self, point: str) -> None:
        words = self._storm.ask()
        roles.say(**words)
        self._storm.kill("call.opened", "work")
        self._storm.let_pass(CALL_PASSES)
        self._cut_off(point, "gateway")
        roles.work()
        self._send()

    def _talked(self, point: str) -> None:
        roles.say(**self._storm.ask())
        self._storm.calm()
        self._storm.let_pass(TALK_PASSES)
        self._cut_off(point, "talks")

    def _remembered(self, point: str) -> None:
        roles.say(**self._storm.ask())
        roles.work()
        self._send()
        newest = Memory.objects.order_by("-pk").values_list("pk", flat=True)[:1]
        Memory.objects.filter(pk__in=list(newest)).update(
            embedding=None, embedding_model="", embedding_dimensions=None
        )
        self._cut_off(point, "memory")
        assert not Memory.objects.filter(pk__in=list(newest), embedding__isnull=True).exists()

    def _cut_off(self, point: str, hand: str) -> None:
        self._storm.kill(point, "tick", hand=hand)
        if hand == "talks":
            self._storm.let_pass(CALL_PASSES)  # for the lease of a talk
        errands.tick(hand=hand)
