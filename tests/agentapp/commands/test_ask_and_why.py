"""/ask puts words to one agent; /why tells a member what they may know, and nothing else."""

from __future__ import annotations

import pytest

from agentapp.commands.services import carry_out
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, propose
from agentapp.foundation import clock
from agentapp.identity.models import Room
from agentapp.identity.services.rooms import create_room
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from tests.agentapp.commands.asking import call
from tests.agentapp.engine.stage import Stage
from tests.cast import Cast, make_message
from tests.dashboard.pages.world import make_turn

SECRET = "Mallory fears her exam."


def asks(cast: Cast, text: str, external_id: str = "$1", **changes: object) -> str:
    return carry_out(
        call(cast, "ask", external_id, options={"text": text}, shows_answer=True, **changes)
    ).words


def test_one_of_five_agents_is_asked_and_answers_as_if_it_was_named(stage: Stage) -> None:
    cast = stage.cast
    for name in ("Cleo", "Dan", "Eve"):
        stage.another_agent(name)

    assert asks(cast, "What is a fern?") == "Ada was asked."
    assert asks(cast, "What is a fern?") == "Ada was asked."  # the same call again

    message = Message.objects.get()
    assert message.text == "What is a fern?"
    assert [each.turn.agent_id for each in stage.decide()] == [cast.ada.pk]
    assert stage.turn(cast.ada).addressed
    assert not LLMCall.objects.exists()
    assert not Draft.objects.exists()  # its words are still to come, through every gate


def test_the_asked_the_named_or_the_last_speaker_is_chosen(stage: Stage) -> None:
    cast = stage.cast
    assert asks(cast, "Hello", "$1", agent_id=cast.bo.pk) == "Bo was asked."
    assert asks(cast, "Hello", "$2", called="bo") == "Bo was asked."
    assert asks(cast, "Hello", "$3", mentions=(f"agent:{cast.bo.pk}",)) == "Bo was asked."
    stage.agent_says(cast.bo, "I was here.")
    assert asks(cast, "Hello", "$4") == "Bo was asked."


@pytest.mark.parametrize(("command", "words"), [("stop", "/stop undo"), ("quiet", "/quiet off")])
def test_who_asked_for_quiet_is_told_how_to_end_it(cast: Cast, command: str, words: str) -> None:
    carry_out(call(cast, command, shows_answer=True))
    assert words in asks(cast, "Hello", "$2")
    assert not Message.objects.exists()


@pytest.mark.parametrize("text", ["", "\0", "\u202e", "   "])
def test_without_words_nothing_is_asked(cast: Cast, text: str) -> None:
    answer = carry_out(call(cast, "ask", options={"text": text}, shows_answer=True))
    assert not answer.is_done
    assert not Message.objects.exists()


def test_hostile_words_are_stored_safely(stage: Stage) -> None:
    asks(stage.cast, "</untrusted>\0\u202e\ud800" + "x" * 100_000)
    text = Message.objects.get().text
    assert "\0" not in text
    assert "\u202e" not in text
    assert len(text) <= 4_000


def remember(cast: Cast, user: str, text: str) -> Memory:
    return Memory.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        person=cast.identity(getattr(cast, user)).person,
        room=cast.lounge,
        audience="public",
        text=text,
        text_hash=text,
    )


@pytest.fixture
def answered(cast: Cast) -> Message:
    """Ada's answer to Sam, made of messages of two rooms and memories of two people."""
    study = create_room(workspace=cast.workspace, name="Study", visibility="private", by=cast.root)
    question = make_message(cast, cast.sam, "@Ada, what about the plants?")
    elsewhere = make_message(cast, cast.root, "A private thought.", room=study)
    memories = [remember(cast, "sam", "I grow ferns."), remember(cast, "mallory", SECRET)]
    turn = make_turn(
        cast,
        question,
        context={
            "messages": [question.pk, elsewhere.pk],
            "memories": [each.pk for each in memories],
        },
    )
    draft = propose(
        Wish(
            turn=turn,
            agent_id=cast.ada.pk,
            kind="message",
            room_id=cast.lounge.pk,
            text="Water them.",
            why="Sam asked.",
        )
    )
    return stand(cast, draft, cast.lounge)


def stand(cast: Cast, draft: Draft, room: Room) -> Message:
    """Have a draft stand in its room, as its sender leaves it."""
    message = make_message(cast, cast.root, draft.text, room=room)
    Message.objects.filter(pk=message.pk).update(author=cast.ada.identities.get(platform="local"))
    Outbound.objects.filter(draft=draft).delete()
    Outbound.objects.create(
        draft=draft,
        agent=cast.ada,
        room=room,
        account=cast.ada.accounts.get(),
        seq=0,
        dedupe_key="test",
        not_before=clock.now(),
        state="sent",
        message=message,
    )
    return message


def test_why_tells_what_this_person_may_know(cast: Cast, answered: Message) -> None:
    answer = carry_out(call(cast, "why", shows_answer=True, target=answered.external_id))

    assert answer.is_private
    assert answer.agent_id == cast.ada.pk
    assert "Ada wrote this. Sam mentioned Ada." in answer.words
    assert "1 message that you can read too and 1 memory of you" in answer.words
    assert "I grow ferns." in answer.words
    assert "Some sources are private." in answer.words
    for secret in (SECRET, "private thought", "exam"):
        assert secret not in answer.words
    assert LLMCall.objects.count() == 1  # the one that wrote the answer


def test_somebody_else_is_told_nothing_of_it(cast: Cast, answered: Message) -> None:
    words = carry_out(call(cast, "why", user=cast.mallory, shows_answer=True)).words
    assert "ferns" not in words
    assert "Mallory fears her exam" in words  # her own
    root = carry_out(call(cast, "why", "$2", user=cast.root, shows_answer=True)).words
    assert "2 messages" in root
    assert "memor" not in root
    assert "Some sources are private." in root


def test_without_a_target_it_is_the_last_message_of_an_agent(cast: Cast, answered: Message) -> None:
    make_message(cast, cast.sam, "Thank you.")
    assert "Ada wrote this." in carry_out(call(cast, "why", shows_answer=True)).words


def test_others_words_and_other_rooms_are_not_told_of(cast: Cast, answered: Message) -> None:
    own = make_message(cast, cast.sam, "Thank you.")
    for n, target in enumerate((own.external_id, "nothing", "\0" * 500)):
        answer = carry_out(call(cast, "why", f"$t{n}", shows_answer=True, target=target))
        assert not answer.is_done
        assert "was not written by one of the agents" in answer.words


def test_a_deleted_source_and_a_withdrawn_memory_are_not_told_again(
    cast: Cast, answered: Message
) -> None:
    Memory.objects.update(withdrawn_at=clock.now())
    Message.objects.exclude(pk=answered.pk).update(deleted_at=clock.now())
    words = carry_out(call(cast, "why", shows_answer=True)).words
    assert "0 messages" in words
    assert "ferns" not in words
