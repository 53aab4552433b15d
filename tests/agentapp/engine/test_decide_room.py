"""Decisions of a room's agents as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentapp.conversation.models import FeedItem
from agentapp.drafts.models import Draft
from agentapp.engine.assemble import assemble
from agentapp.engine.decide import decide_room
from agentapp.engine.queries.tails import BURST
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Room
from agentapp.identity.services.agents import pause_agent
from agentapp.intake import lanes
from agentapp.intake.models import Lane, SpeakerClaim
from agentapp.intake.services import delete_web_message
from agentapp.llm.models import Budget, LLMCall, Spend
from agentapp.moderation.services import suspend
from agentapp.presence.models import Membership
from agentapp.safety import services as safety
from agentapp.turns.models import Turn
from tests.agentapp.engine.stage import Stage


def outcome(stage: Stage, agent: Agent) -> tuple[str, str]:
    turn = stage.turn(agent)
    return turn.decision, turn.outcome


def test_silence_is_stored_with_its_reason_and_asks_no_model(stage: Stage) -> None:
    message = stage.say("Nice weather today.")
    assert stage.decide() == []
    for agent in (stage.cast.ada, stage.cast.bo):
        turn = stage.turn(agent)
        assert (turn.decision, turn.outcome, turn.status) == ("ignore", "not_asked", "done")
        assert turn.trigger_id == message.pk
        assert turn.reasons == [
            {"kind": "no", "code": "not_asked", "words": "Here agents speak only when asked."}
        ]
    assert not LLMCall.objects.exists()
    assert lanes.claim(limit=10) == []


def test_only_who_is_asked_thinks(stage: Stage) -> None:
    message = stage.say("@Ada how are you?")
    (begun,) = stage.decide()
    assert begun.turn.agent == stage.cast.ada
    assert begun.turn.status == "running"
    assert begun.turn.person == stage.cast.identity(stage.cast.sam).person
    assert begun.turn.context["covers"] == [message.pk]
    assert outcome(stage, stage.cast.bo) == ("ignore", "addressed_elsewhere")


def test_a_reply_to_an_agent_is_meant_for_it(stage: Stage) -> None:
    said = stage.agent_says(stage.cast.bo, "I made soup.")
    stage.decide()
    stage.say("Is there any left?", reply_to_id=said.pk)
    (begun,) = stage.decide()
    assert begun.turn.agent == stage.cast.bo


def test_a_direct_room_needs_no_name(stage: Stage) -> None:
    room = stage.direct_room(stage.cast.bo, stage.cast.sam)
    stage.say("How are you?", room_id=room.pk)
    (begun,) = stage.decide()
    assert begun.turn.addressed


def test_the_lane_of_a_thought_stays_claimed(stage: Stage) -> None:
    stage.say("@Ada hello")
    (begun,) = stage.decide()
    lane = Lane.objects.get(pk=begun.lane.id)
    assert lane.lease_until is not None
    assert lane.decided_through == 0


def test_a_dead_workers_thought_is_taken_up_again(stage: Stage) -> None:
    first = stage.say("@Ada hello")
    (begun,) = stage.decide()
    stage.say("@Ada are you there?")
    Lane.objects.update(lease_until=clock.now())
    (again,) = stage.decide()
    assert again.turn.pk == begun.turn.pk
    assert (again.turn.retries, again.turn.fence) == (1, again.lane.fence)
    assert again.turn.trigger_id == first.pk
    assert Turn.objects.filter(agent=stage.cast.ada).count() == 1


def test_a_taken_over_lane_decides_nothing(stage: Stage) -> None:
    stage.say("@Ada hello")
    stale = lanes.claim(limit=10)
    Lane.objects.update(lease_until=clock.now())
    fresh = lanes.claim(limit=10)
    assert decide_room(claimed=stale) == []
    assert not Turn.objects.exists()
    assert len(decide_room(claimed=fresh)) == 1


def _stop_everything(stage: Stage) -> None:
    safety.stop(scope="workspace", workspace_id=stage.cast.workspace.pk, by=stage.cast.root)


def _stop_host(stage: Stage) -> None:
    safety.stop(scope="host", by=stage.cast.root)


def _suspend(stage: Stage) -> None:
    suspend(agent_id=stage.cast.ada.pk, by=stage.cast.root, reason="Rude.")


def _pause(stage: Stage) -> None:
    pause_agent(agent_id=stage.cast.ada.pk, by=stage.cast.root)


def _mute(stage: Stage) -> None:
    Membership.objects.filter(agent=stage.cast.ada).update(state="muted")


def _leave(stage: Stage) -> None:
    Membership.objects.filter(agent=stage.cast.ada).update(state="left", left_at=clock.now())


def _close(stage: Stage) -> None:
    stage.set_room(agents_allowed=False)


@pytest.mark.parametrize(
    ("hold", "code"),
    [
        (_stop_everything, "kill_switch"),
        (_stop_host, "kill_switch"),
        (_suspend, "suspended"),
        (_pause, "agent_paused"),
        (_mute, "membership_muted"),
        (_leave, "membership_none"),
        (_close, "room_closed"),
    ],
)
def test_what_is_held_back_after_a_message_came_says_why(
    stage: Stage, hold: Callable[[Stage], None], code: str
) -> None:
    stage.say("@Ada hello")
    hold(stage)
    assert stage.decide() == []
    assert outcome(stage, stage.cast.ada) == ("ignore", code)


def test_a_quarantined_agent_stays_silent(stage: Stage) -> None:
    member = Membership.objects.get(agent=stage.cast.ada)
    member.delete()
    member.state = Membership.State.QUARANTINED
    member.save(force_insert=True)
    stage.say("@Ada hello")
    assert stage.decide() == []
    assert outcome(stage, stage.cast.ada) == ("ignore", "membership_quarantined")


def test_a_message_deleted_before_the_decision_is_not_decided_on(stage: Stage) -> None:
    message = stage.say("@Ada hello")
    delete_web_message(user=stage.cast.sam, message_id=message.pk)
    assert stage.decide() == []
    assert not Turn.objects.exists()
    assert lanes.claim(limit=10) == []


def test_thanks_get_a_reaction_without_a_model(stage: Stage) -> None:
    message = stage.say("Thanks, @Bo!")
    assert stage.decide() == []
    draft = stage.draft(stage.cast.bo)
    assert (draft.kind, draft.emoji, draft.target) == ("reaction", "❤️", message)
    assert outcome(stage, stage.cast.bo) == ("react", "reaction:approved")
    assert not LLMCall.objects.exists()


def test_what_is_close_to_an_agents_heart_is_noticed(stage: Stage) -> None:
    message = stage.say("I lost at chess again.")
    stage.decide()
    items = FeedItem.objects.filter(message=message)
    assert {item.agent_id for item in items} == {stage.cast.ada.pk, stage.cast.bo.pk}
    assert "chess" in items[0].reason


def test_one_of_five_agents_takes_a_message_to_nobody(stage: Stage) -> None:
    for name in ("Cleo", "Dora", "Emil"):
        stage.another_agent(name)
    stage.set_room(dial="joins")
    message = stage.say("Who plays chess tonight?")
    begun = stage.decide()
    assert len(begun) == 1
    assert not begun[0].turn.addressed
    assert SpeakerClaim.objects.get().message_id == message.pk
    assert Turn.objects.filter(outcome="taken").count() == 4


def test_agents_of_different_workers_do_not_take_the_same_message(stage: Stage) -> None:
    stage.set_room(dial="joins")
    stage.say("Who plays chess tonight?")
    one, other = lanes.claim(limit=1), lanes.claim(limit=1)
    assert [len(decide_room(claimed=one)), len(decide_room(claimed=other))] == [1, 0]


def test_the_limit_of_a_room_overrules_the_hosts(stage: Stage) -> None:
    Room.objects.filter(pk=stage.cast.lounge.pk).update(limits={"room_turns_10min": 1})
    stage.say("@Ada one")
    assert len(stage.decide()) == 1
    stage.say("@Bo two")
    assert stage.decide() == []
    turn = stage.turn(stage.cast.bo)
    assert turn.outcome == "room_cap"
    assert "set by the room" in turn.reasons[0]["words"]


def test_a_cap_holds_for_agents_that_decide_together(stage: Stage) -> None:
    Room.objects.filter(pk=stage.cast.lounge.pk).update(limits={"room_turns_10min": 1})
    stage.say("@Ada @Bo hello both")
    assert len(stage.decide()) == 1


def test_caps_forget_what_was_long_ago(stage: Stage) -> None:
    Room.objects.filter(pk=stage.cast.lounge.pk).update(limits={"person_turns_10min": 1})
    stage.say("@Bo one")
    (begun,) = stage.decide()
    stage.end(begun)
    stage.say("@Bo two")
    assert stage.decide() == []
    Turn.objects.update(created_at=clock.now() - timedelta(minutes=11))
    stage.say("@Bo three")
    assert len(stage.decide()) == 1


def test_a_try_out_does_not_use_up_a_persons_answers(stage: Stage) -> None:
    stage.cast.workspace.limits = {"person_turns_day": 1}
    stage.cast.workspace.save()
    room = stage.direct_room(stage.cast.bo, stage.cast.sam)
    Room.objects.filter(pk=room.pk).update(is_tryout=True)
    stage.say("One", room_id=room.pk)
    assert len(stage.decide()) == 1
    stage.say("@Bo two")
    assert len(stage.decide()) == 1


def _spend_everything(stage: Stage) -> None:
    budget, _ = Budget.objects.update_or_create(
        workspace=stage.cast.workspace, agent=None, defaults={"day_micros": 100}
    )
    Spend.objects.create(budget=budget, day=clock.now().date(), spent_micros=100)


def test_a_spent_budget_is_told_once_to_who_asked(stage: Stage) -> None:
    _spend_everything(stage)
    stage.say("@Bo hello")
    stage.say("@Ada hello")
    assert stage.decide() == []
    drafts = list(Draft.objects.all())
    assert len(drafts) == 1
    assert drafts[0].metadata["notice"]
    assert drafts[0].status == "approved"
    assert outcome(stage, stage.cast.bo)[1] == "budget_exhausted"
    assert outcome(stage, stage.cast.ada)[1] == "budget_exhausted"


def test_a_spent_budget_is_not_told_to_who_did_not_ask(stage: Stage) -> None:
    _spend_everything(stage)
    stage.set_room(dial="joins")
    stage.say("Who plays chess tonight?")
    assert stage.decide() == []
    assert not Draft.objects.exists()


def _queries(stage: Stage) -> int:
    claimed = lanes.claim(limit=10)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        decide_room(claimed=claimed)
    return len(captured)


def test_deciding_costs_the_same_in_a_room_of_any_size(stage: Stage) -> None:
    stage.say("Hello.")
    small = _queries(stage)
    for n in range(25):
        stage.say(f"Message {n}. @mallory")
    for name in ("Cleo", "Dora", "Emil"):
        stage.another_agent(name)
    stage.say("Hello again.")
    assert _queries(stage) <= small + 1  # the mentions of the burst


def test_a_burst_longer_than_one_look_is_decided_in_turns(stage: Stage) -> None:
    stage.set_room(limits={"fresh_messages": 2 * BURST})
    first = stage.say("@Bo first of many")
    for n in range(BURST + 5):
        stage.agent_says(stage.cast.ada, f"Filler {n}.")
    last = stage.say("@Bo last of many")
    (begun,) = stage.decide()
    assert begun.turn.trigger_id == first.pk
    assert begun.turn.context["through"] < last.pk


def test_assembling_costs_the_same_in_a_room_of_any_size(stage: Stage) -> None:
    def queries() -> int:
        stage.say("@Bo hello")
        (begun,) = stage.decide()
        with CaptureQueriesContext(connection) as captured:
            assert assemble(turn=begun.turn) is not None
        stage.end(begun)
        return len(captured)

    queries()
    small = queries()
    for n in range(30):
        stage.say(f"Message {n}.", by=stage.cast.mallory)
    for name in ("Cleo", "Dora", "Emil"):
        stage.another_agent(name)
    assert queries() == small
