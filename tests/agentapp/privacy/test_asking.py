"""What people ask about themselves in a room is done once, and told to nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest
from django.db import connection, transaction

from agentapp.commands.services import carry_out
from agentapp.commands.shapes import Call
from agentapp.drafts.models import Draft
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.envelope import Author, Place
from agentapp.identity.models import Agent, Identity, Participant, Person, Room
from agentapp.keyring.models import Keyring
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.presence.models import Membership
from tests.cast import Cast, make_message

ROOT = Path(__file__).resolve().parents[3]
SECRET = "I am afraid of my exam."


@pytest.fixture
def person(cast: Cast) -> Person:
    return remembered(cast)


def remembered(cast: Cast) -> Person:
    """Two agents remember Sam: one from a public room, one from a direct one."""
    person = cast.identity(cast.sam).person
    assert person is not None
    for n, (agent, audience) in enumerate([(cast.ada, "public"), (cast.bo, "direct")]):
        Memory.objects.create(
            workspace=cast.workspace,
            agent=agent,
            person=person,
            room=cast.lounge,
            audience=audience,
            text=SECRET if n else "I teach chemistry.",
            text_hash=str(n),
        )
    return person


def obey(call: Call) -> bool:
    """Carry a command out; say whether this did it now."""
    answer = carry_out(call)
    return answer.is_done and not answer.is_repeated


def asked(cast: Cast, act: str, event_id: str = "$1", **changes: object) -> Call:
    handle = cast.identity(cast.sam)
    values: dict[str, object] = {
        "workspace_id": cast.workspace.pk,
        "platform": cast.lounge.platform,
        "place": Place(cast.lounge.external_id),
        "author": Author(handle.external_id, handle.name),
        "command": act,
        "external_id": event_id,
    }
    return Call(**values | changes)  # type: ignore[arg-type]


def alone_with(cast: Cast, agent: Agent) -> Room:
    """Open a direct room of Sam and an agent."""
    room = Room.objects.create(
        workspace=cast.workspace,
        platform=cast.lounge.platform,
        external_id="direct",
        kind=Room.Kind.DIRECT,
    )
    Participant.objects.create(room=room, identity=cast.identity(cast.sam))
    here = Membership.objects.get(agent=agent, room=cast.lounge)
    here.pk, here.room = None, room
    here._state.adding = True
    here.save()
    return room


def said() -> list[tuple[int, str]]:
    return list(Draft.objects.order_by("pk").values_list("room_id", "text"))


def test_forgetting_is_done_once_by_all_and_told_by_one_in_private(
    cast: Cast, person: Person
) -> None:
    direct = alone_with(cast, cast.bo)
    one, two = asked(cast, "forget"), asked(cast, "forget", is_moderator=True)

    assert [obey(each) for each in (one, two, one)] == [True, False, False]

    assert not Memory.objects.filter(person=person).exists()
    ((room_id, words),) = said()
    assert room_id == direct.pk
    assert "Ada: 1 memory" in words
    assert "Bo: 1 memory" in words
    assert "What remains: messages in rooms" in words
    assert Event.objects.filter(type="privacy.forgotten").count() == 1
    assert not LLMCall.objects.exists()


def test_without_a_direct_room_nobody_else_reads_what_is_known(cast: Cast, person: Person) -> None:
    obey(asked(cast, "mydata", "$1"))
    obey(asked(cast, "forget", "$2"))

    assert [room for room, _ in said()] == [cast.lounge.pk] * 2
    for _, words in said():
        assert "chemistry" not in words
        assert SECRET not in words
        assert "memor" not in words
        assert "direct chat" in words


def test_in_the_direct_room_it_is_all_told(cast: Cast, person: Person) -> None:
    direct = alone_with(cast, cast.ada)
    obey(asked(cast, "mydata", place=Place(direct.external_id)))

    ((room_id, words),) = said()
    assert room_id == direct.pk
    assert SECRET in words
    assert "Ada remembers 1 thing of you:\n- I teach chemistry." in words


def test_a_direct_room_with_somebody_else_is_not_used(cast: Cast, person: Person) -> None:
    direct = alone_with(cast, cast.ada)
    Participant.objects.filter(room=direct).update(identity=cast.identity(cast.mallory))

    obey(asked(cast, "mydata"))

    assert said()[0][0] == cast.lounge.pk
    assert SECRET not in said()[0][1]


@pytest.mark.parametrize("has_left", [False, True])
@pytest.mark.parametrize("where", ["there", "elsewhere"])
def test_a_direct_room_that_somebody_else_ever_saw_is_not_private(
    cast: Cast, person: Person, where: str, has_left: bool
) -> None:
    direct = alone_with(cast, cast.ada)
    Participant.objects.create(
        room=direct,
        identity=cast.identity(cast.mallory),
        left_at=clock.now() if has_left else None,
    )
    place = direct if where == "there" else cast.lounge

    obey(asked(cast, "mydata", place=Place(place.external_id)))

    ((room_id, words),) = said()
    assert room_id == place.pk
    assert SECRET not in words
    assert "chemistry" not in words


@pytest.mark.parametrize("has_keys", [False, True])
def test_an_encrypted_direct_room_is_used_by_a_login_with_keys(
    cast: Cast, person: Person, has_keys: bool
) -> None:
    direct = alone_with(cast, cast.ada)
    Room.objects.filter(pk=direct.pk).update(encrypted=True)
    account = cast.ada.accounts.get()
    Keyring.objects.create(
        account=account, workspace=cast.workspace, device="A", fingerprint="B", is_on=has_keys
    )

    obey(asked(cast, "mydata"))

    ((room_id, words),) = said()
    assert room_id == (direct.pk if has_keys else cast.lounge.pk)
    assert ("chemistry" in words) == has_keys


def test_never_remembering_is_another_choice_and_can_be_taken_back(
    cast: Cast, person: Person
) -> None:
    obey(asked(cast, "neverremember", "$1"))
    person.refresh_from_db()
    assert person.never_remember
    assert Memory.objects.filter(person=person).count() == 2  # kept, unheard
    assert "`!rememberme` takes this back" in said()[0][1]

    obey(asked(cast, "rememberme", "$2"))
    person.refresh_from_db()
    assert not person.never_remember


def test_the_agent_that_was_named_or_answered_or_spoke_last_answers(
    cast: Cast, person: Person
) -> None:
    def who(event_id: str, **changes: object) -> str:
        obey(asked(cast, "neverremember", event_id, **changes))
        draft = Draft.objects.order_by("-pk")[0]
        return draft.agent.name

    assert who("$1") == "Ada"
    identity = Identity.objects.get(agent=cast.bo, platform=cast.lounge.platform)
    message = make_message(cast, cast.sam, "Hello")
    type(message).objects.filter(pk=message.pk).update(author=identity)
    assert who("$2") == "Bo"
    assert who("$3", mentions=(f"agent:{cast.ada.pk}",)) == "Ada"
    assert who("$4", target=message.external_id) == "Bo"
    Membership.objects.filter(agent=cast.bo).update(state="muted")
    assert who("$5") == "Ada"


def test_agents_and_bots_have_nothing_to_ask_for(cast: Cast, person: Person) -> None:
    bot = Author(f"agent:{cast.bo.pk}", "Bo")
    assert not obey(asked(cast, "forget", author=bot))
    Identity.objects.filter(pk=cast.identity(cast.sam).pk).update(kind="bot")
    assert not obey(asked(cast, "forget"))
    assert Memory.objects.filter(person=person).count() == 2


@pytest.mark.django_db(transaction=True)
def test_five_logins_at_once_do_it_once(live_cast: Cast) -> None:
    remembered(live_cast)
    order = asked(live_cast, "forget")

    def read(_login: int) -> bool:
        with fresh_connection():
            return obey(order)

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(read, range(5))) == [False] * 4 + [True]
    assert len(said()) == 1
    assert Event.objects.filter(type="command.carried_out").count() == 1


ASKS = """
import json, sys, django
django.setup()
from agentapp.commands.services import carry_out
from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import Author, Place
said = json.loads(sys.argv[1])
carry_out(Call(**said | {"author": Author(**said["author"]), "place": Place(**said["place"])}))
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'agentapp_draft'::regclass"


def is_waiting() -> bool:
    """Say whether some process waits for the table of drafts."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS)
        return cursor.fetchone() != (0,)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_is_killed_in_the_middle_has_done_nothing(live_cast: Cast) -> None:
    person = remembered(live_cast)
    order = asked(live_cast, "forget")
    told = {each.name: getattr(order, each.name) for each in fields(order)} | {
        "author": {"external_id": order.author.external_id, "name": order.author.name},
        "place": {"external_id": order.place.external_id},
    }
    process = subprocess.Popen(
        [sys.executable, "-c", ASKS, json.dumps(told)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "agentapp.config.settings"},
    )
    try:
        # It has forgotten everything and cannot write its answer yet.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE agentapp_draft IN SHARE ROW EXCLUSIVE MODE")
            until = time.monotonic() + 60
            while not is_waiting():
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            process.kill()
            assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()

    assert Memory.objects.filter(person=person).count() == 2
    assert said() == []
    assert [obey(order), obey(order)] == [True, False]
    assert not Memory.objects.filter(person=person).exists()
    assert len(said()) == 1
