"""Why? tells what an agent asked of tools, to those who may know, and nothing that is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.identity.models import Seat
from agentapp.identity.services import make_api_token
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.tools.dispatcher import MAX_ARGUMENTS
from agentapp.tools.models import ToolCall
from agentapp.turns.models import Turn
from tests.cast import Cast, make_message
from tests.dashboard.pages.world import make_turn

AS_SCRIPT = {"HX-Request": "true"}
TEACHES = "I teach chemistry in Graz."


@pytest.fixture
def turn(cast: Cast) -> Turn:
    """A thought of Ada: it looked something up, asked for what is not there, and answered."""
    person = cast.identity(cast.sam).person
    turn = make_turn(cast, make_message(cast, cast.sam, "@Ada what do I do?"), person=person)
    LLMCall.objects.filter(turn=turn).update(key=f"turn:{turn.pk}")
    LLMCall.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        turn=turn,
        model="big-model",
        purpose=LLMCall.Purpose.REPLY,
        key=f"turn:{turn.pk}:2#2",
        status=LLMCall.Status.DONE,
        cost_micros=3_300,
    )
    Memory.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        person=person,
        audience="public",
        text=TEACHES,
        text_hash="1",
    )
    found = json.dumps([{"said": "2026-01-01", "text": TEACHES}])
    use(turn, "recall", {"about": "work"}, found)
    use(turn, "shell", {"run": "rm -rf /"}, "There is no tool 'shell' here.", status="refused", n=1)
    return turn


def use(
    turn: Turn, name: str, asked: object, told: str, *, status: str = "done", n: int = 0
) -> ToolCall:
    return ToolCall.objects.create(
        workspace=turn.workspace,
        turn=turn,
        step=1,
        ordinal=n,
        name=name,
        arguments=asked if isinstance(asked, str) else json.dumps(asked),
        status=status,
        result=told,
    )


def panel(browser: Client, turn: Turn) -> str:
    return browser.get(reverse("turn_body", args=[turn.pk]), headers=AS_SCRIPT).content.decode()


def steps(cast: Cast, turn: Turn) -> list[dict[str, Any]]:
    _, token = make_api_token(user=cast.root, name="script", scopes=["read"])
    answer = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/v1/turns/{turn.pk}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["steps"]
    return found


def test_models_and_tools_stand_in_the_order_in_which_they_were_asked(
    cast: Cast, root: Client, turn: Turn
) -> None:
    html = panel(root, turn)

    told = ["small-model", "recall", "work", TEACHES, "shell", "rm -rf /", "refused", "no tool"]
    places = [html.find(words) for words in told[:-2]] + [html.find("big-model")]
    assert -1 not in places
    assert places == sorted(places)
    assert "Why not" in html
    assert "There is no tool" in html
    assert html.index("0.21") < html.index("0.33")  # cents of the two answers


def test_the_api_tells_the_same(cast: Cast, turn: Turn) -> None:
    first, recall, shell, last = steps(cast, turn)

    assert (first["call"]["model"], last["call"]["model"]) == ("small-model", "big-model")
    assert (first["call"]["costMicros"], last["call"]["costMicros"]) == (2100, 3300)
    assert recall["tool"] == {
        "name": "recall",
        "status": "done",
        "arguments": [["about", "work"]],
        "told": [TEACHES],
    }
    assert (shell["tool"]["status"], shell["call"]) == ("refused", None)


@pytest.mark.parametrize("gone", ["withdrawn_at", "deleted_at", "row"])
def test_what_is_no_longer_remembered_is_not_told_again(
    cast: Cast, root: Client, turn: Turn, gone: str
) -> None:
    kept = use(turn, "remember", {"words": TEACHES}, "You will remember that.", n=2)
    assert panel(root, turn).count(TEACHES) == 2
    if gone == "row":
        Memory.objects.all().delete()
    else:
        Memory.objects.update(**{gone: kept.created_at})

    html = panel(root, turn)
    assert TEACHES not in html
    assert html.count("[no longer remembered]") == 2
    assert TEACHES not in json.dumps(steps(cast, turn))


def test_only_the_agents_owner_and_the_admin_are_told(
    cast: Cast, sam: Client, olga: Client, turn: Turn
) -> None:
    other = Seat.objects.create(workspace=cast.workspace, user=cast.olga, role=Seat.Role.OWNER)
    for browser in (sam, olga):
        assert TEACHES not in panel(browser, turn)
    for user in (cast.sam, other.user):
        _, token = make_api_token(user=user, name="script", scopes=["read"])
        asked = Client(headers={"Authorization": f"Bearer {token}"})
        assert asked.get(f"/api/v1/turns/{turn.pk}").status_code == 404


def test_hostile_arguments_are_shown_short_as_text_and_without_secrets(
    cast: Cast, root: Client, turn: Turn
) -> None:
    use(turn, "<b>x</b>", "{not json <script>alert(1)</script>", "\ufffd", status="refused", n=2)
    long = {"words": "sk-abcdefghijklmnop1234 " + "y" * MAX_ARGUMENTS, "list": [1, {"a": None}]}
    use(turn, "remember", long, "z" * 4_000, status="failed", n=3)

    html = panel(root, turn)
    assert "<script>alert" not in html
    assert "<b>x</b>" not in html
    assert "sk-abcdefgh" not in html + json.dumps(steps(cast, turn))
    assert "y" * 601 not in html
    assert "z" * 601 not in html


def test_more_tools_ask_no_more_of_the_database(
    cast: Cast, root: Client, turn: Turn, django_assert_max_num_queries: Any
) -> None:
    for n in range(2, 40):
        use(turn, "recall", {"about": "work"}, "[]", n=n)

    with django_assert_max_num_queries(25):
        panel(root, turn)
