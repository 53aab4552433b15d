"""Ends a thought: the draft, the record, the bond and the lane in one fenced transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose_all
from agentapp.engine import saying
from agentapp.engine.outcomes import Begun
from agentapp.engine.prompt import Prompt
from agentapp.engine.queries.reading import may_each_go_on
from agentapp.engine.think import Thought
from agentapp.foundation import faults
from agentapp.foundation.gathering import Gathered
from agentapp.identity.models import Room
from agentapp.intake import lanes
from agentapp.memory import services as memory
from agentapp.relations import services as relations
from agentapp.relations.services import Exchange
from agentapp.turns import services as turns
from agentapp.turns.models import Turn

logger = logging.getLogger(__name__)

SILENT = frozenset({"stopped", "nothing_left"})  # nobody is told of these


def remember(*, begun: Begun, prompt: Prompt) -> None:
    """Keep what the answered messages say about their writer, unless it is a try-out.

    Calls: the local embedding model, outside any transaction. It comes before the turn ends, so
    that work which is cut off does it again: repeating it changes nothing.
    """
    if prompt.room.is_tryout or not begun.turn.addressed or begun.turn.person_id is None:
        return
    for message_id in prompt.telling:
        memory.remember(message_id=message_id, turn_id=begun.turn.pk)


@dataclass(frozen=True, slots=True)
class Speech:
    """An answer that was thought of and not said yet."""

    begun: Begun
    prompt: Prompt
    thought: Thought

    @property
    def turn(self) -> Turn:
        """Return the thought's record."""
        return self.begun.turn


def speak(*, begun: Begun, prompt: Prompt, thought: Thought) -> None:
    """Put the answer before the gate and end turn and lane with it.

    Writes: Lane, Draft, Turn, Relationship, Events; together with the answers of other agents
    that are ready at this moment. What happened to the agent meanwhile is looked at once more: a
    stopped one says nothing.

    Raises:
        StaleFence, TurnTaken: Another worker goes on with it. Nothing is written.
    """
    _speak_together(Speech(begun, prompt, thought))


@transaction.atomic
def _speak(speeches: Sequence[Speech]) -> list[None]:
    lanes.finish_each((each.begun.lane, _through(each.begun)) for each in speeches)
    free = may_each_go_on([(each.turn, each.begun.lane) for each in speeches])
    said = [each for each, is_free in zip(speeches, free, strict=True) if is_free]
    for each, is_free in zip(speeches, free, strict=True):
        if not is_free:
            error = "It was stopped before it could be said."
            turns.fail(turn=each.turn, outcome="stopped", error=error)
    made = propose_all([_wish(each) for each in said])
    faults.passing("draft.written")
    drafts = []
    for speech, result in zip(said, made, strict=True):
        if isinstance(result, PendingLimitReached):
            turns.fail(turn=speech.turn, outcome=result.code, error=result.message)
        else:
            drafts.append((speech, result))
    turns.finish([_finished(speech, draft) for speech, draft in drafts])
    relations.touch(list(_exchanges(drafts)))
    return [None] * len(speeches)


_speak_together = Gathered(_speak)


def _wish(speech: Speech) -> Wish:
    turn, prompt = speech.turn, speech.prompt
    return Wish(
        turn=turn,
        agent_id=turn.agent_id,
        kind=Draft.Kind.MESSAGE,
        room_id=prompt.room.pk,
        text=speech.thought.text,
        target_id=turn.trigger_id if prompt.room.kind != Room.Kind.DIRECT else None,
        person_id=turn.person_id,
        visibility=saying.visibility(prompt.room),
        why=turn.reasons[0]["words"] if turn.reasons else "",
        tainted=prompt.tainted,
        room_seen=prompt.through,
        epoch=turn.epoch,
        carries=speech.thought.carries,
    )


def _finished(speech: Speech, draft: Draft) -> turns.Finished:
    return turns.Finished(
        turn=speech.turn,
        outcome=f"draft:{draft.status}",
        answer=speech.thought.text,
        cost_micros=speech.thought.cost_micros,
        latency_ms=speech.thought.latency_ms,
        steps=speech.thought.steps,
    )


def _exchanges(said: Iterable[tuple[Speech, Draft]]) -> Iterator[Exchange]:
    """Find the answers that bring agents and people nearer."""
    for speech, draft in said:
        turn = speech.turn
        is_exchange = turn.addressed and draft.status != Draft.Status.BLOCKED
        if is_exchange and turn.person_id is not None and not speech.prompt.room.is_tryout:
            yield Exchange(
                workspace_id=turn.workspace_id,
                agent_id=turn.agent_id,
                person_id=turn.person_id,
                is_monologue=speech.prompt.is_monologue,
            )


@transaction.atomic
def give_up(*, begun: Begun, thought: Thought) -> None:
    """End a thought that has no answer: one honest notice if somebody waits, else silence.

    Writes: Lane, Turn (failed), Draft (the notice), Events.

    Raises:
        StaleFence, TurnTaken: Another worker goes on with it. Nothing is written.
    """
    turn = begun.turn
    # The room's lock comes before the lane's everywhere; it also makes the notice the only one.
    room = (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .get(pk=begun.lane.room_id)
    )
    lanes.finish(claimed=begun.lane, through=_through(begun))
    if thought.code not in SILENT:
        saying.apologise(turn=turn, room=room, code=thought.code)
    turns.fail(turn=turn, outcome=thought.code, error=thought.error, latency_ms=thought.latency_ms)


def _through(begun: Begun) -> int:
    return int(begun.turn.context["through"])
