"""Who asks to be left alone is: nothing is decided, proposed or sent to them, nor remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from agentapp.commands.registry import parse
from agentapp.commands.services import carry_out
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import approve, propose_by_hand
from agentapp.engine.queries.reading import may_go_on
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, Place
from agentapp.identity.models import Identity, Person, Room, User
from agentapp.identity.services.people import ensure_identity
from agentapp.intake.places import Whereabouts, writer
from agentapp.llm.models import LLMCall
from agentapp.memory.queries.sources import get_memorable_message
from agentapp.relations.models import Quiet
from agentapp.relations.rules import mentions
from agentapp.relations.services import expire_quiets
from tests.agentapp.commands.asking import approved_answer, call, proposed_answer
from tests.agentapp.engine.stage import Stage
from tests.cast import Cast, make_message


def person_of(cast: Cast, user: User) -> Person:
    return Person.objects.get(identities=cast.identity(user))


def status(draft: Draft) -> str:
    return Draft.objects.values_list("status", flat=True).get(pk=draft.pk)


def said_in(room: Room) -> list[str]:
    """Return what agents' words stand in a room, in the order in which they came."""
    own = Message.objects.filter(room=room, author__kind="agent").order_by("pk")
    return list(own.values_list("text", flat=True))


@pytest.mark.parametrize("command", ["quiet", "stop"])
def test_what_was_approved_and_not_sent_is_withdrawn(stage: Stage, command: str) -> None:
    cast = stage.cast
    pending, going, other = (
        proposed_answer(cast, cast.sam),
        approved_answer(cast, cast.sam),
        approved_answer(cast, cast.mallory),
    )

    answer = carry_out(call(cast, command, shows_answer=True))

    assert answer.is_done
    assert [status(each) for each in (pending, going, other)] == ["withdrawn"] * 2 + ["approved"]
    assert stage.publish() == 1  # to Mallory
    assert said_in(cast.lounge) == ["Of course."]
    assert Event.objects.filter(type="agent.draft.withdrawn").count() == 2
    assert not LLMCall.objects.exists()


@pytest.mark.parametrize("command", ["quiet", "stop"])
def test_nothing_new_is_decided_proposed_or_gone_on_with(stage: Stage, command: str) -> None:
    cast = stage.cast
    stage.say("@Ada, are you there?")
    (begun,) = stage.decide()
    assert may_go_on(turn=begun.turn, lane=begun.lane)

    carry_out(call(cast, command, shows_answer=True))

    assert not may_go_on(turn=begun.turn, lane=begun.lane)
    assert proposed_answer(cast, cast.sam).status == "blocked"
    stage.end(begun)
    stage.say("@Ada, are you there now?")
    stage.say("thanks Ada")
    assert stage.decide() == []
    assert stage.turn(cast.ada).outcome == "left_alone"
    stage.say("@Bo, and you?", by=cast.mallory)
    assert [each.turn.agent_id for each in stage.decide()] == [cast.bo.pk]
    assert proposed_answer(cast, cast.mallory, text="Ask @Sam.").status == "blocked"
    assert proposed_answer(cast, cast.mallory, text="Ask me.").status == "pending"


def test_quiet_is_for_one_room_and_ends_by_itself(stage: Stage) -> None:
    cast = stage.cast
    carry_out(call(cast, "quiet", options={"hours": 2.0}))
    direct = stage.direct_room(cast.ada, cast.sam)
    stage.say("Hello Ada", room_id=direct.pk)
    assert [each.turn.room_id for each in stage.decide()] == [direct.pk]

    with clock.shifted(timedelta(hours=2, seconds=1)):
        stage.say("@Ada, and here?")
        assert cast.lounge.pk in {each.turn.room_id for each in stage.decide()}


def test_the_end_of_a_quiet_is_written_once(stage: Stage) -> None:
    carry_out(call(stage.cast, "quiet", options={"hours": 2.0}))
    assert expire_quiets() == 0
    Quiet.objects.update(until=clock.now())
    assert [expire_quiets(), expire_quiets()] == [1, 0]
    assert Event.objects.filter(type="quiet.ended").count() == 1


def test_a_quiet_that_was_over_before_it_was_read_does_nothing(cast: Cast) -> None:
    late = clock.now() - timedelta(hours=3)
    answer = carry_out(call(cast, "quiet", options={"hours": 2.0}, at=late))
    assert (answer.is_done, answer.words) == (False, "")
    assert not Quiet.objects.exists()
    assert not Draft.objects.exists()


def test_quiet_off_takes_it_back(stage: Stage) -> None:
    cast = stage.cast
    carry_out(call(cast, "quiet", "$1"))
    assert Quiet.objects.get().person == person_of(cast, cast.sam)
    assert (
        "answered here again" in carry_out(call(cast, "quiet", "$2", options={"off": True})).words
    )
    assert "was not quiet" in carry_out(call(cast, "quiet", "$3", options={"off": True})).words
    stage.say("@Ada, hello")
    assert len(stage.decide()) == 1
    assert set(Event.objects.filter(type__startswith="quiet.").values_list("type", flat=True)) == {
        "quiet.begun",
        "quiet.ended",
    }


def test_who_looks_after_a_room_quiets_all_of_it_and_the_room_is_told(stage: Stage) -> None:
    cast = stage.cast
    going = approved_answer(cast, cast.mallory)

    carry_out(call(cast, "quiet", is_moderator=True, shows_answer=True))

    stage.publish()  # one after the other, in the order of the room
    stage.publish()
    assert status(going) == "blocked"
    assert said_in(cast.lounge) == [
        "No agent says anything here from now on. `/quiet off` takes it back."
    ]
    stage.say("@Ada, hello", by=cast.mallory)
    assert stage.decide() == []
    assert stage.turn(cast.ada).outcome == "room_quiet"
    carry_out(call(cast, "quiet", "$2", is_moderator=True, options={"off": True}))
    assert not Quiet.objects.exists()


def test_a_moderator_may_mean_only_themselves(cast: Cast) -> None:
    carry_out(call(cast, "quiet", is_moderator=True, options={"me": True}))
    assert Quiet.objects.get().person == person_of(cast, cast.sam)


def test_in_a_direct_room_it_is_the_room(stage: Stage) -> None:
    cast = stage.cast
    direct = stage.direct_room(cast.ada, cast.sam)
    carry_out(call(cast, "quiet", place=Place(direct.external_id, kind="direct")))
    assert Quiet.objects.get().person is None
    stage.say("Hello?", room_id=direct.pk)
    assert stage.decide() == []


def test_whatever_is_said_in_a_direct_room_is_said_to_who_is_there(stage: Stage) -> None:
    cast = stage.cast
    direct = stage.direct_room(cast.ada, cast.sam)

    def by_hand() -> Draft:
        return propose_by_hand(
            agent_id=cast.ada.pk, kind="message", room_id=direct.pk, text="Hello.", by=cast.root
        )

    first = by_hand()
    approve(draft_id=first.pk, version=1, content_hash=first.content_hash, by=cast.root)
    Outbound.objects.update(not_before=clock.now())
    Person.objects.filter(identities__user=cast.sam).update(stopped_at=clock.now())
    assert by_hand().status == "blocked"
    assert stage.publish() == 0
    assert status(first) == "blocked"
    assert said_in(direct) == []


def test_stop_reaches_every_workspace_of_the_host_also_later_ones(cast: Cast) -> None:
    here, there, later = (
        {"platform": "matrix", "external_id": "@sam:green.test", "name": "Sam"} for _ in range(3)
    )
    ensure_identity(workspace=cast.elsewhere, **there)
    handle = ensure_identity(workspace=cast.workspace, **here)
    # The same person has another handle here, and that one is known elsewhere, too.
    Identity.objects.filter(pk=cast.identity(cast.sam).pk).update(person=handle.person)
    ensure_identity(
        workspace=cast.elsewhere, platform="local", external_id=f"user:{cast.sam.pk}", name="Sam"
    )

    carry_out(call(cast, "stop"))

    stopped = Person.objects.filter(stopped_at__isnull=False)
    assert set(stopped.values_list("workspace", flat=True)) == {
        cast.workspace.pk,
        cast.elsewhere.pk,
    }
    assert Event.objects.filter(type="person.stopped").count() == 3
    Identity.objects.filter(workspace=cast.elsewhere, platform="matrix").delete()
    again = writer(
        at=Whereabouts(cast.elsewhere.pk, "matrix"), author=Author("@sam:green.test", "Sam")
    )
    assert again.person is not None
    assert again.person.stopped_at is not None
    assert ensure_identity(workspace=cast.elsewhere, **later | {"external_id": "@x:y"}).person

    carry_out(call(cast, "stop", "$2", options={"undo": True}))
    assert not Identity.objects.filter(person__stopped_at__isnull=False).exists()


def test_who_said_stop_is_not_remembered(stage: Stage) -> None:
    cast = stage.cast
    message = make_message(cast, cast.sam, "@Ada, I grow ferns.")
    assert get_memorable_message(message_id=message.pk)
    carry_out(call(cast, "stop"))
    assert get_memorable_message(message_id=message.pk) is None


def test_stop_twice_is_said_and_start_again_undoes_it(cast: Cast) -> None:
    assert "already" not in carry_out(call(cast, "stop", "$1")).words
    assert "already left alone" in carry_out(call(cast, "stop", "$2")).words
    undo = {"undo": True}
    assert "again" in carry_out(call(cast, "stop", "$3", options=undo)).words
    assert "Nothing was stopped" in carry_out(call(cast, "stop", "$4", options=undo)).words


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Ada, stop!", {}),
        ("Ada stop", {}),
        ("@Ada leave me alone.", {}),
        ("leave me alone, Ada", {}),
        ("Ada: Lass mich in Ruhe!", {}),
        ("ada, laisse-moi tranquille", {}),
        ("Ada, ¡déjame en paz!", {}),
        ("Ada, hör auf", {}),
        ("Ada, start again", {"undo": True}),
        ("/stop undo", {"undo": True}),
        ("!stop", {}),
        ("stop", None),
        ("leave me alone", None),
        ("Sam, leave me alone", None),
        ("Ada, stop the music", None),
        ("Ada, why did you say “leave me alone”?", None),
        ("I told Ada to stop", None),
        ("Adam, stop", None),
        ("Ada, st\u202eop", None),
        ("/stop it now please", None),
    ],
)
def test_words_that_mean_stop_are_whole_messages_to_an_agent(
    text: str, meant: dict[str, object] | None
) -> None:
    found = parse(text, names={"Ada": 7})
    assert (dict(found.options) if found else None) == meant
    if found:
        assert found.command.name == "stop"


def test_where_an_agent_is_addressed_anyway_the_words_alone_are_enough() -> None:
    assert parse("Leave me alone!", names={}, is_addressed=True)
    assert parse("Leave me alone!", names={"Ada": 7}, mentioned=[7])
    assert parse("Leave the door open", names={}, is_addressed=True) is None


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("Ask @sam.", True),
        ("Ask @SAM!", True),
        ("Sam said so.", True),
        ("sam said so.", False),
        ("The same again.", False),
        ("Samuel", False),
        ("mail me@sam", False),
        ("<@user:5> knows", True),
        ("@" * 50_000, False),
    ],
)
def test_who_counts_as_mentioned(text: str, is_named: bool) -> None:
    assert mentions(text, names=["Sam", "user:5"]) == is_named


@pytest.mark.django_db(transaction=True)
def test_a_stop_that_is_undone_by_a_rollback_stops_nothing(live_cast: Cast) -> None:
    going = approved_answer(live_cast, live_cast.sam)
    with transaction.atomic():
        carry_out(call(live_cast, "stop"))
        transaction.set_rollback(True)
    assert status(going) == "approved"
    assert carry_out(call(live_cast, "stop")).is_repeated is False
    assert status(going) == "withdrawn"
