"""The People pages: who is known, what is remembered and why, and what may be done about it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, AuthorKind
from agentapp.identity.models import Identity, Person, Seat
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.people import ensure_identity
from agentapp.identity.services.tenancy import give_seat
from agentapp.intake.places import Whereabouts, writer
from agentapp.memory.models import Memory
from agentapp.relations.models import Relationship
from dashboard.presenters.people import PAGE
from tests.cast import SPEC, Cast, make_user
from tests.dashboard.pages.conftest import Visit
from tests.dashboard.remembering import leaves, make_memory

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 900


def shown(client: Client, name: str, *args: int, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def person_of(cast: Cast, memory: Memory) -> Person:
    assert memory.person
    return memory.person


def test_the_list_says_what_to_do_while_nobody_is_known(root: Client) -> None:
    assert "Nobody yet" in shown(root, "people")


def test_people_are_listed_found_and_paged(cast: Cast, root: Client) -> None:
    make_memory(cast, cast.sam)
    make_memory(cast, cast.mallory)
    assert "1 thing remembered" in shown(root, "people")
    assert "mallory" not in shown(root, "people", q="SAM")
    assert "Nobody by that name" in shown(root, "people", q="nobody\x00<b>")
    people = Person.objects.bulk_create(
        [Person(workspace=cast.workspace, name=f"Guest {n:03}") for n in range(PAGE)]
    )
    Relationship.objects.bulk_create(
        [Relationship(workspace=cast.workspace, agent=cast.ada, person=one) for one in people]
    )

    first = shown(root, "people")

    assert "Guest 049" in first
    assert "sam" not in first.partition("<main")[2].lower().replace("same", "")
    assert "sam" in shown(root, "people", before=str(people[0].pk))
    assert root.get(reverse("people"), {"before": "x"}).status_code == 404


def test_the_list_asks_the_same_for_any_number(cast: Cast, root: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            shown(root, "people")
        return len(queries)

    make_memory(cast, cast.sam)
    few = asked()
    make_memory(cast, cast.mallory)
    make_memory(cast, cast.root)

    assert asked() <= few


def test_who_left_a_server_is_found_and_forgotten(cast: Cast, root: Client) -> None:
    gone, here = make_memory(cast, cast.sam), make_memory(cast, cast.mallory)
    assert "left a server" not in shown(root, "people")
    leaves(cast, cast.sam)
    day = f"{clock.now():%-d %b %Y}"

    assert "Show only them" in shown(root, "people")
    for page in (shown(root, "people"), shown(root, "person", person_of(cast, gone).pk)):
        assert f"eft <bdi>Pond &lt;b&gt;</bdi> on {day}" in page
    only = shown(root, "people", left="yes")
    assert reverse("person", args=[person_of(cast, gone).pk]) in only
    assert reverse("person", args=[person_of(cast, here).pk]) not in only
    exported = root.get(reverse("person_export", args=[gone.person_id]))
    assert [one["server"] for one in json.loads(exported.content)["person"]["left"]] == ["Pond <b>"]

    root.post(reverse("person_forget", args=[gone.person_id]))

    assert "Nobody left" in shown(root, "people", left="yes")
    assert "Show only them" not in shown(root, "people")


def test_what_somebody_left_is_seen_by_owners_of_agents_there_alone(
    cast: Cast, root: Client, visit: Visit
) -> None:
    make_memory(cast, cast.sam)
    leaves(cast, cast.sam)
    rival = make_user("rival")
    give_seat(user=rival, workspace=cast.workspace, role=Seat.Role.OWNER)
    cy = create_agent(owner=rival, workspace=cast.workspace, name="Cy", spec=SPEC)
    person = cast.identity(cast.sam).person
    Relationship.objects.create(workspace=cast.workspace, agent=cy, person=person)

    page = shown(visit(rival), "people")

    assert "sam" in page
    assert "Pond" not in page
    assert "Nobody left" in shown(visit(rival), "people", left="yes")


def test_a_person_is_shown_with_what_is_remembered_and_why(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam, expires_at=clock.now() + timedelta(days=3), uses=2)

    page = shown(root, "person", person_of(cast, memory).pk)

    assert "I have two cats." in page
    assert f"{reverse('room', args=[cast.lounge.pk])}#message-{memory.source_message_id}" in page
    assert "May come up in public rooms and in private with them." in page
    assert "A stranger, talked to 3 times" in page
    assert "Fitted 2 times." in page
    assert "web rooms" in page


def test_what_was_said_in_private_appears_after_a_tap(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam, audience="direct")

    page = shown(root, "person", person_of(cast, memory).pk)

    assert page.index("Said in private: show it") < page.index("I have two cats.")
    assert "only in private with them" in page


def test_hostile_words_are_shown_as_words(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam, HOSTILE)
    Person.objects.filter(pk=memory.person_id).update(name="<b>x</b>")

    pages = shown(root, "person", memory.person_id or 0) + shown(root, "people")

    assert "<script>alert" not in pages
    assert "<b>x</b>" not in pages


def test_a_memory_is_corrected(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam)
    address = reverse("memory_edit", args=[memory.pk])

    assert root.post(address, {"text": ""}).status_code == 422
    assert root.post(address, {"text": "I have two dogs."}).status_code == 302

    memory.refresh_from_db()
    assert (memory.text, memory.corrected_by) == ("I have two dogs.", cast.root)
    assert "corrected by the owner" in shown(root, "person", person_of(cast, memory).pk)


def test_a_deletion_can_be_undone(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam)
    root.post(reverse("memory_delete", args=[memory.pk]))
    assert "I have two cats." not in shown(root, "person", person_of(cast, memory).pk)

    root.post(reverse("memory_restore", args=[memory.pk]))

    assert "I have two cats." in shown(root, "person", person_of(cast, memory).pk)


def test_forgetting_gives_a_receipt(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam)

    answer = root.post(reverse("person_forget", args=[memory.person_id])).content.decode()

    assert "1 memory<" in answer
    assert "fact" not in answer
    assert "What remains" in answer
    assert not Memory.objects.exists()


def test_never_remember_is_set_and_taken_back(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam)
    address = reverse("person_never", args=[memory.person_id])
    root.post(address, {"on": "yes"})
    assert "Let them be remembered again" in shown(root, "person", memory.person_id or 0)

    root.post(address, {"on": "no"})

    assert not Person.objects.get(pk=memory.person_id).never_remember


def test_the_export_is_a_file(cast: Cast, root: Client) -> None:
    memory = make_memory(cast, cast.sam)

    answer = root.get(reverse("person_export", args=[memory.person_id]))

    assert "attachment" in answer["Content-Disposition"]
    assert json.loads(answer.content)["memories"][0]["id"] == memory.pk


OF_A_PERSON = {
    "person": "get",
    "person_export": "get",
    "person_forget": "post",
    "person_never": "post",
}
OF_A_MEMORY = {"memory_edit": "get", "memory_delete": "post", "memory_restore": "post"}


@pytest.mark.parametrize("who", ["sam", "olga", "moderator", "rival"])
def test_nobody_but_the_agents_owner_sees_or_changes_anything(
    cast: Cast, visit: Visit, who: str
) -> None:
    memory = make_memory(cast, cast.sam)
    users = {"sam": cast.sam, "olga": cast.olga}
    if who not in users:
        users[who] = make_user(who)
        role = Seat.Role.MODERATOR if who == "moderator" else Seat.Role.OWNER
        give_seat(user=users[who], workspace=cast.workspace, role=role)
    if who == "rival":
        create_agent(owner=users[who], workspace=cast.workspace, name="Cy", spec=SPEC)
    client = visit(users[who])

    for name, method in OF_A_PERSON.items():
        answer = getattr(client, method)(reverse(name, args=[memory.person_id]), {"on": "yes"})
        assert answer.status_code == 404, name
    for name, method in OF_A_MEMORY.items():
        assert getattr(client, method)(reverse(name, args=[memory.pk])).status_code == 404, name
    listed = client.get(reverse("people"))
    assert listed.status_code == 404 or b"Nobody yet" in listed.content
    assert Memory.objects.get().text == "I have two cats."
    assert not Person.objects.filter(never_remember=True).exists()


def test_members_see_and_decide_what_agents_remember_of_them(cast: Cast, sam: Client) -> None:
    own = make_memory(cast, cast.sam)
    make_memory(cast, cast.mallory, "I live in Rome.")
    room = cast.lounge.pk

    page = shown(sam, "me", room)

    assert "I have two cats." in page
    assert "I live in Rome." not in page
    assert reverse("me", args=[room]) in shown(sam, "room", room)
    assert json.loads(sam.get(reverse("me_export", args=[room])).content)["memories"]
    sam.post(reverse("me_delete", args=[room, own.pk]))
    own.refresh_from_db()
    assert own.deleted_at is not None
    sam.post(reverse("me_never", args=[room]), {"on": "yes"})
    assert Person.objects.get(pk=own.person_id).never_remember
    assert "Forgotten" in sam.post(reverse("me_forget", args=[room])).content.decode()
    assert list(Memory.objects.values_list("text", flat=True)) == ["I live in Rome."]
    assert Event.objects.get(type="privacy.forgotten").actor_id == str(cast.sam.pk)


def test_members_decide_about_nobody_else(cast: Cast, sam: Client, olga: Client) -> None:
    theirs = make_memory(cast, cast.mallory, "I live in Rome.")
    room = cast.lounge.pk

    assert sam.post(reverse("me_delete", args=[room, theirs.pk])).status_code == 404
    assert olga.get(reverse("me", args=[room])).status_code == 404
    assert Memory.objects.get().deleted_at is None


def test_a_newcomer_is_told_that_nothing_is_remembered(cast: Cast, visit: Visit) -> None:
    new = make_user("nora")
    give_seat(user=new, workspace=cast.workspace, role=Seat.Role.MEMBER)

    assert "have not met you yet" in shown(visit(new), "me", cast.lounge.pk)


@pytest.mark.parametrize("slash", ["/", "!"])
def test_words_in_a_room_that_ask_about_oneself_are_answered_and_not_said(
    cast: Cast, sam: Client, visit: Visit, slash: str
) -> None:
    make_memory(cast, cast.sam)
    say, here = (reverse(name, args=[cast.lounge.pk]) for name in ("room_say", "room_asides"))
    before = Message.objects.count()

    for words, answer in [
        ("mydata", "remembers 1 thing of you"),
        ("forget", "What went:"),
        ("neverremember", "Nothing you say is remembered"),
        ("rememberme", "You are remembered again"),
    ]:
        asked = sam.post(say, {"text": f"{slash}{words}"}, headers={"HX-Request": "true"})
        assert asked.status_code == 204
        assert answer in sam.get(here).content.decode()
        assert answer in sam.get(here).content.decode()  # until it is dismissed
        assert answer not in visit(cast.mallory).get(here).content.decode()

    assert Message.objects.count() == before
    assert not Memory.objects.filter(person=cast.identity(cast.sam).person).exists()


def test_who_may_not_see_a_room_asks_nothing_there(cast: Cast, olga: Client) -> None:
    make_memory(cast, cast.sam)
    say = reverse("room_say", args=[cast.lounge.pk])
    assert olga.post(say, {"text": "/forget"}).status_code == 404
    assert Memory.objects.exists()


def test_an_owner_says_that_a_handle_is_a_bot_and_that_it_is_not(
    cast: Cast, root: Client, sam: Client
) -> None:
    memory = make_memory(cast, cast.sam)
    handle = ensure_identity(
        workspace=cast.workspace, platform="matrix", external_id="@beep:green.test", name="Beep"
    )
    Identity.objects.filter(pk=handle.pk).update(person=memory.person)
    address = reverse("handle_kind", args=[memory.person_id, handle.pk])

    def kind(browser: Client, bot: str) -> str:
        browser.post(address, {"bot": bot})
        handle.refresh_from_db()
        return handle.kind

    assert kind(sam, "yes") == "human"
    assert "This is a bot" in shown(root, "person", memory.person_id or 0)
    assert kind(root, "yes") == "bot"
    assert "Not a bot" in shown(root, "person", memory.person_id or 0)
    said = Author("@beep:green.test", "Beep", kind=AuthorKind.HUMAN)
    at = Whereabouts(cast.workspace.pk, "matrix")
    assert writer(at=at, author=said).kind == "bot"  # whatever the platform now says
    assert kind(root, "no") == "human"
    assert Event.objects.filter(type="identity.kind_set").count() == 2
    own = cast.identity(cast.sam)
    mine = reverse("handle_kind", args=[memory.person_id, own.pk])
    assert root.post(mine, {"bot": "yes"}).status_code == 404
