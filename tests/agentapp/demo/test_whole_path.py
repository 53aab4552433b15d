"""A demo from its first line to a draft, through every slice, with the rehearsal model."""

from __future__ import annotations

import threading

import pytest

from agentapp.demo import runner, services
from agentapp.demo.models import DemoRun
from agentapp.drafts.models import Draft, Outbound
from agentapp.engine import worker
from agentapp.foundation import clock
from agentapp.identity.models import Seat, User
from agentapp.identity.services.rooms import join_room
from agentapp.identity.services.tenancy import give_seat
from agentapp.intake.services import post_web_message
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn
from tests.cast import Cast, make_user


@pytest.fixture
def demo(live_cast: Cast) -> DemoRun:
    return services.start(user=live_cast.root)


def speak(*, lines: int) -> None:
    for _ in range(lines):
        DemoRun.objects.update(next_line_at=clock.now(), watched_at=clock.now())
        runner.tick()


def says(run: DemoRun, user: User, text: str) -> str:
    """Say something in the demo room and return what an agent wants to answer."""
    assert run.room_id is not None
    post_web_message(user=user, room_id=run.room_id, text=text)
    worker.work_lanes()
    return Draft.objects.filter(room_id=run.room_id).latest("pk").text


def guest_in(run: DemoRun, name: str) -> User:
    guest = make_user(name)
    give_seat(user=guest, workspace=run.workspace, role=Seat.Role.MEMBER)
    assert run.room_id is not None
    join_room(room_id=run.room_id, user=guest)
    return guest


def test_after_two_lines_a_draft_waits_for_its_owner(demo: DemoRun) -> None:
    speak(lines=2)
    worker.work_lanes()

    draft = Draft.objects.get(room=demo.room)
    assert draft.status == "pending"
    assert draft.agent.name == "Juno"
    assert "first" in draft.text
    assert LLMCall.objects.get(agent=draft.agent).cost_micros == 0


def test_an_agent_whose_words_do_not_wait_is_on_its_way_at_once(demo: DemoRun) -> None:
    speak(lines=4)
    worker.work_lanes()

    piece = Outbound.objects.get(agent__name="Mira")
    assert piece.state == "queued"
    assert "exam is on Thursday" in piece.draft.text


def test_what_somebody_told_is_recalled_for_them_and_for_nobody_else(demo: DemoRun) -> None:
    root, eve = demo.user, guest_in(demo, "Eve")
    says(demo, root, "Mira, my boat is called Halcyon.")
    assert Memory.objects.filter(agent__name="Mira", text__contains="Halcyon").exists()

    assert "Halcyon" not in says(demo, eve, "Mira, what is my boat called?")
    assert "Halcyon" in says(demo, root, "Mira, what is my boat called?")


def test_a_fact_that_left_the_recent_talk_is_recalled_from_memory(demo: DemoRun) -> None:
    says(demo, demo.user, "Mira, my boat is called Halcyon.")
    demo.workspace.limits = {"context_messages": 0}
    demo.workspace.save(update_fields=["limits"])

    assert "Halcyon" in says(demo, demo.user, "Mira, what is my boat called?")
    answered = Turn.objects.filter(room=demo.room, agent__name="Mira").latest("pk")
    assert answered.context["memories"]


def test_removing_while_an_agent_thinks_breaks_nothing(demo: DemoRun) -> None:
    speak(lines=2)
    crew = threading.Thread(target=worker.work_lanes)
    crew.start()
    while not LLMCall.objects.filter(workspace=demo.workspace).exists():
        pass
    assert services.remove(user=demo.user)
    crew.join(timeout=30)

    assert not crew.is_alive()
    assert not Draft.objects.filter(room_id=demo.room_id).exists()
    assert worker.work_lanes() == 0
