"""Who leaves a server is on record once, answered no more, and answered again once back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.engine.queries.reading import may_go_on
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, Place
from agentapp.identity.models import Account, Identity, Participant, Room, Stay
from agentapp.intake.batches import accept_batch
from agentapp.intake.seen import Batch, Item, Move, RoomNews
from agentapp.presence.services import add_agent
from tests.agentapp.engine.stage import Stage
from tests.cast import Cast

POND, SEA = "g1", "g2"
TEA = Place("c1", "tea (Pond)", group=POND)
SHORE = Place("c2", "shore (Sea)", group=SEA)
ANN = Author("77", "Ann")


class Bot:
    """Ada's login, on a platform with servers."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.account = Account.objects.create(
            workspace=cast.workspace,
            agent=cast.ada,
            platform="ponds",
            external_id="1",
            fence=1,
            lease_holder="test",
            lease_until=clock.now() + timedelta(hours=1),
        )
        self.heard = 0

    def sees(self, *moves: Move, place: Place | None = None, items: Sequence[Item] = ()) -> None:
        """Take in what the login saw at once."""
        accept_batch(
            Batch(
                self.account.pk,
                1,
                self.cast.workspace.pk,
                self.cast.ada.pk,
                "ponds",
                {},
                rooms=(RoomNews(place, tuple(items)),) if place else (),
                moves=moves,
            )
        )

    def hears(self, text: str, *, place: Place = TEA, ago: float = 0.0, by: Author = ANN) -> None:
        """Hear somebody say something, some seconds after it was written."""
        self.heard += 1
        said = Incoming(
            self.cast.workspace.pk,
            "ponds",
            place,
            f"m{self.heard}",
            by,
            text,
            mentions=("1",),
            sent_at=clock.now() - timedelta(seconds=ago),
        )
        self.sees(place=place, items=[said])

    def enters(self, place: Place) -> Room:
        """Be let into a room."""
        self.sees(place=place)
        room = Room.objects.get(external_id=place.external_id)
        add_agent(room_id=room.pk, agent_id=self.cast.ada.pk, by=None)
        Room.objects.filter(pk=room.pk).update(reply_mode="own")
        return room


def joins(who: Author = ANN, group: str = POND, *, ago: float = 0.0) -> Move:
    return Move(group, "Pond", who, True, clock.now() - timedelta(seconds=ago))


def leaves(who: Author = ANN, group: str = POND) -> Move:
    return Move(group, "Pond", who, False)


def moves() -> list[str]:
    kinds = ["person.joined", "person.left"]
    return list(Event.objects.filter(type__in=kinds).order_by("pk").values_list("type", flat=True))


def people_in(place: Place = TEA) -> list[str]:
    """Return whom an agent is told of as present."""
    here = Participant.objects.filter(room__external_id=place.external_id, left_at=None)
    return list(here.values_list("identity__name", flat=True))


@pytest.fixture
def bot(cast: Cast) -> Bot:
    return Bot(cast)


def test_each_coming_and_going_is_noted_once(bot: Bot) -> None:
    first, second = joins(ago=60), joins(ago=5)
    bot.sees(first)
    bot.sees(first)
    bot.sees(leaves())
    bot.sees(leaves())
    bot.sees(second, second)

    assert moves() == ["person.joined", "person.left", "person.joined"]
    stay = Stay.objects.get()
    assert (stay.identity.external_id, stay.left_at, stay.joined_at) == ("77", None, second.at)
    told = Event.objects.filter(type="person.left").get()
    assert told.subject_id == str(stay.identity.person_id)
    assert told.payload["group"] == "Pond"


def test_who_is_not_known_leaves_unnoticed_and_bots_are_none_of_it(bot: Bot) -> None:
    bot.sees(leaves(), joins(Author("78", "robot", AuthorKind.BOT)))
    assert moves() == []
    assert not Identity.objects.filter(platform="ponds").exists()
    bot.hears("Hello", by=ANN)
    Identity.objects.filter(external_id="77").update(kind="bot")
    bot.sees(leaves(), joins())
    assert moves() == []


def test_names_are_cleaned(bot: Bot) -> None:
    name = "A\x00nn\u202e\ud800" + "x" * 100_000
    bot.sees(
        Move("g\x00", name, Author("77", name), True, clock.now()),
        Move("g\x00", name, Author("77", name), False),
    )
    stay = Stay.objects.select_related("identity").get()
    for stored in (stay.group_name, stay.identity.name, stay.group_id):
        assert stored.isprintable() or "\ufffd" in stored
        assert len(stored) <= 120
    assert moves() == ["person.joined", "person.left"]


def test_who_left_is_answered_only_where_they_still_are(stage: Stage, bot: Bot) -> None:
    bot.enters(TEA)
    shore = bot.enters(SHORE)
    bot.hears("Ada, hello?")
    (begun,) = stage.decide()
    assert may_go_on(turn=begun.turn, lane=begun.lane)

    bot.sees(leaves())

    assert not may_go_on(turn=begun.turn, lane=begun.lane)
    stage.end(begun)
    assert people_in() == []
    bot.hears("Ada, are you there?", ago=30)  # said before, and read late
    assert stage.decide() == []
    assert stage.turn(stage.cast.ada).outcome == "author_left"
    assert people_in() == []
    bot.hears("Ada, and here?", place=SHORE)
    assert [one.turn.room_id for one in stage.decide()] == [shore.pk]


@pytest.mark.parametrize("by_word", [True, False])
def test_who_came_back_is_answered_again(stage: Stage, bot: Bot, by_word: bool) -> None:
    """Who writes is there, also where nobody saw them come."""
    bot.enters(TEA)
    bot.hears("Ada, hello?", ago=60)
    bot.sees(leaves())
    if not by_word:
        bot.sees(joins())
    bot.hears("Ada, I am back.")

    assert len(stage.decide()) == 1
    assert moves() == ["person.left", "person.joined"]
    assert not Stay.objects.filter(left_at__isnull=False).exists()
    assert people_in() == ["Ann"]


def test_what_waits_for_somebody_who_left_is_withdrawn(stage: Stage, bot: Bot) -> None:
    rooms = [bot.enters(TEA), bot.enters(SHORE)]
    bot.hears("Ada?")
    bot.hears("Ada?", place=SHORE)
    ann = Identity.objects.get(external_id="77").person_id

    def answer(room: Room) -> Draft:
        return propose(
            Wish(
                turn=None,
                agent_id=stage.cast.ada.pk,
                kind="message",
                room_id=room.pk,
                person_id=ann,
                text="Yes?",
            )
        )

    drafts = [answer(room) for room in rooms]
    bot.sees(leaves())

    assert [Draft.objects.get(pk=one.pk).status for one in drafts] == ["withdrawn", "pending"]
    assert Draft.objects.get(pk=drafts[0].pk).reason == "Who it answers has left."
    late = answer(rooms[0])
    assert (late.status, late.reason) == ("blocked", "Who it answers has left.")
