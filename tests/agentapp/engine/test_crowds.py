"""Many rooms, many workers, many agents."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Count

from agentapp import tasks
from agentapp.drafts.models import Draft
from agentapp.engine import worker
from agentapp.foundation import clock
from agentapp.intake import lanes
from agentapp.intake.models import Lane
from agentapp.llm.models import LLMCall
from agentapp.turns.models import Turn
from tests.agentapp.engine.stage import Stage
from tests.fakes.connecting import in_threads
from tests.fakes.model_server import Behaviour, Seen

ROOMS = 24


def most_at_once(seen: list[Seen]) -> int:
    """Return how many requests were open at the same time."""
    edges = sorted([(one.at, 1) for one in seen] + [(one.ended_at, -1) for one in seen])
    running = most = 0
    for _, step in edges:
        running += step
        most = max(most, running)
    return most


def test_more_answers_are_written_at_once_than_there_are_connections(live: Stage) -> None:
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    assert pool < ROOMS
    live.cast.workspace.limits = {"person_turns_10min": 1000}
    live.cast.workspace.save()
    live.server.always(Behaviour(latency=4))
    for _ in range(ROOMS):
        room = live.direct_room(live.cast.bo, live.cast.sam)
        room.external_id = f"direct:{room.pk}"
        room.save()
        live.say("Hello", room_id=room.pk)
    live.run()
    live.server.wait_until_answered()
    assert most_at_once(live.server.completions()) > pool
    assert Draft.objects.filter(status="approved").count() == ROOMS
    assert set(Turn.objects.values_list("status", flat=True)) == {"done"}


def test_several_crews_answer_every_message_once(live: Stage) -> None:
    live.cast.workspace.limits = {"person_turns_10min": 1000}
    live.cast.workspace.save()
    crews = [worker.Crew(threads=3) for _ in range(3)]
    for n in range(8):
        room = live.direct_room(live.cast.bo, live.cast.sam)
        room.external_id = f"direct:{n}"
        room.save()
        live.say("Hello", room_id=room.pk)
    in_threads(3, lambda n: [crews[n].pump(limit=2) for _ in range(3)])
    while any(not crew.wait(timeout=0.05) for crew in crews) or Lane.objects.filter(
        lease_until__gt=clock.now()
    ):
        pass
    for crew in crews:
        crew.pump()
        crew.wait()
        crew.shut_down()
    assert Draft.objects.count() == 8
    assert LLMCall.objects.count() == 8
    doubled = Turn.objects.values("agent", "trigger_id").annotate(n=Count("id")).filter(n__gt=1)
    assert not doubled.exists()


def test_a_crew_of_one_thread_still_works_off_everything(live: Stage) -> None:
    crew = worker.Crew(threads=1)
    live.say("@Bo hello")
    live.say("@Ada hello")
    crew.pump()
    assert crew.wait(timeout=20)
    crew.shut_down()
    assert {draft.agent_id for draft in Draft.objects.all()} == {live.cast.ada.pk, live.cast.bo.pk}


def test_five_agents_and_many_workers_make_one_answer(live: Stage) -> None:
    for name in ("Cleo", "Dora", "Emil"):
        live.another_agent(name)
    live.set_room(dial="joins")
    live.say("Who plays chess tonight?")
    crews = [worker.Crew(threads=2) for _ in range(5)]
    in_threads(5, lambda n: crews[n].pump(limit=1))
    for crew in crews:
        crew.wait()
        crew.shut_down()
    live.run()
    assert Draft.objects.count() == 1
    assert LLMCall.objects.count() == 1
    assert Turn.objects.filter(decision="respond").count() == 1


NAMES = ("Bo", "Cleo", "Dora", "Emil", "Finn")


def eager(body: dict[str, Any]) -> str:
    """Answer as an agent that always calls every other one."""
    me = re.match(r"You are (\w+)", body["messages"][0]["content"])
    assert me is not None
    return " ".join(f"@{name}" for name in NAMES if name != me[1]) + " what do you say?"


@pytest.mark.parametrize("count", [2, 3, 5])
def test_agents_that_call_each_other_stop(live: Stage, count: int) -> None:
    for name in NAMES[1:count]:
        live.another_agent(name)
    live.server.reply = eager
    live.say("@Bo hello")
    for _ in range(30):
        live.run()
        if not live.publish():
            break
    else:
        pytest.fail("they never stopped")
    answers = live.cast.lounge.messages.filter(author__kind="agent").count()
    assert 2 <= answers <= 5
    assert Turn.objects.filter(outcome="agent_chain").exists()
    live.say("@Bo and now?")
    live.run()
    assert live.publish() == 1


def test_drafts_that_wait_count_in_a_chain_too(live: Stage) -> None:
    """Nothing of Ada is published, so only her thoughts can be counted."""
    live.agent_says(live.cast.bo, "@Ada hello")
    live.run()
    for _ in range(8):
        live.agent_says(live.cast.bo, "@Ada hello again")
        live.run()
    assert Turn.objects.filter(agent=live.cast.ada, decision="respond").count() <= 5


def test_ticks_run_twice_at_once_do_no_harm(live: Stage) -> None:
    live.say("@Bo hello")
    ticks = [
        tasks.tick_lanes,
        tasks.tick_gateway,
        tasks.tick_safety,
        tasks.tick_drafts,
        tasks.tick_memory,
        tasks.tick_demo,
    ]
    found = in_threads(12, lambda n: ticks[n % 6]())
    assert [each for each in found if isinstance(each, Exception)] == []
    assert worker.crew().wait(timeout=20)
    assert Draft.objects.count() == 1
    assert LLMCall.objects.count() == 1


def test_a_lost_wake_up_is_found_by_the_sweep(live: Stage) -> None:
    live.say("@Bo hello")
    assert tasks.tick_lanes() == 2
    assert worker.crew().wait(timeout=20)
    assert live.draft(live.cast.bo).status == "approved"


def test_leases_are_prolonged_while_answers_are_written(live: Stage) -> None:
    live.server.always(Behaviour(latency=lanes.EXTEND_EVERY_SECONDS + 2))
    live.say("@Bo hello")
    crew = worker.Crew(threads=2)
    crew.pump()
    live.server.wait_for_requests(1)
    first = Lane.objects.get(agent=live.cast.bo).lease_until
    assert crew.wait(timeout=30)
    crew.shut_down()
    assert first is not None
    lane = Lane.objects.get(agent=live.cast.bo)
    assert lane.fence == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "leases"]
