"""All kinds of bad weather at once: no half message, one failure at most, every cent accounted."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db.models import F, Sum
from pytest_django import Settings

from agentapp.identity.models import Workspace
from agentapp.identity.services.tenancy import create_workspace
from agentapp.llm import circuit, gateway
from agentapp.llm.models import LLMCall, Provider, Reservation, Spend
from agentapp.llm.rules import money
from tests.cast import Cast
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, connect, give_budget, in_threads, set_rate
from tests.fakes.model_server import Behaviour, ModelServer
from tests.fakes.weather import ANSWER, DEAR, HEALS, KINDS, WeatherServer, asked, question

TIMES = 50
CALLERS = 100
LIMIT = 20
DRIP_SECONDS, OTHER_SECONDS = 2.0, 25.0
PRICES = {"fake-chat": (MICROS_IN, MICROS_OUT), DEAR: (3 * MICROS_IN, 3 * MICROS_OUT)}
UNKNOWN_HOST = "models.unknown.example"

pytestmark = pytest.mark.django_db(transaction=True)
Asked = tuple[str, int]


@dataclass
class Places:
    """Where to ask: most kinds come from one server, two need an address of their own."""

    usual: Workspace
    refused: Workspace
    unknown: Workspace
    heard: dict[Asked, list[str]] = field(default_factory=dict)

    def of(self, kind: str) -> Workspace:
        return {"refused": self.refused, "unknown": self.unknown}.get(kind, self.usual)

    def ask(self, kind: str, number: int) -> str:
        words = self.heard[kind, number] = []
        answer = gateway.ask(
            workspace_id=self.of(kind).pk,
            purpose="reply",
            messages=[gateway.ChatMessage(gateway.Role.USER, question(kind, number))],
            key=f"{kind}:{number}",
            max_tokens=LIMIT,
            deadline_seconds=DRIP_SECONDS if kind == "drip" else OTHER_SECONDS,
            on_text=words.append,
        )
        return answer.text


@pytest.fixture
def weather() -> Iterator[WeatherServer]:
    with WeatherServer() as running:
        yield running


@pytest.fixture
def places(live_cast: Cast, weather: WeatherServer) -> Places:
    places = Places(
        live_cast.workspace,
        live_cast.elsewhere,
        create_workspace(user=live_cast.olga, name="A third one"),
    )
    for workspace in (places.usual, places.refused, places.unknown):
        connect(workspace, weather)
        give_budget(workspace, 10**9)
    set_rate(DEAR, *PRICES[DEAR])
    Provider.objects.update(cheap_model="fake-chat")
    Provider.objects.filter(workspace=places.refused).update(base_url="http://127.0.0.1:9/v1")
    Provider.objects.filter(workspace=places.unknown).update(base_url=f"https://{UNKNOWN_HOST}/v1")
    return places


@pytest.fixture
def no_such_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one name be unknown to a name server that answers; all other lookups are real."""
    settings.LLM_ALLOW_REQUESTS = True
    real: Callable[..., Any] = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == UNKNOWN_HOST:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def mixed(kinds: list[str], times: int) -> list[Asked]:
    """Return every question once, in an order that is the same in every run."""
    questions = [(kind, number) for kind in kinds for number in range(times)]
    random.Random(7).shuffle(questions)  # noqa: S311  (an order, no secret)
    return questions


def asked_by_many(places: Places, questions: list[Asked]) -> dict[Asked, str | Exception]:
    """Let 100 callers work through all of them, each at a pace of its own."""
    results: dict[Asked, str | Exception] = {}

    def work(caller: int) -> None:
        pace = random.Random(caller)  # noqa: S311  (a pace, no secret)
        for each in questions[caller::CALLERS]:
            time.sleep(pace.uniform(0, 0.05))
            try:
                results[each] = places.ask(*each)
            except (gateway.ProviderUnavailable, gateway.BudgetExhausted) as failure:
                results[each] = failure

    assert [error for error in in_threads(CALLERS, work) if error is not None] == []
    return results


def is_answered(kind: str, number: int) -> bool:
    return kind == "another-model" or (kind in HEALS and number % 2 == 0)


def ledger(workspace: Workspace) -> int:
    """Return what was settled or lost in a workspace, in micros."""
    rows = Reservation.objects.filter(spend__budget__workspace=workspace)
    assert not rows.filter(state=Reservation.State.RESERVED).exists()
    rows = rows.filter(state__in=[Reservation.State.SETTLED, Reservation.State.LOST])
    return rows.aggregate(total=Sum("settled_micros"))["total"] or 0


def test_in_any_weather_there_is_one_answer_or_one_failure_and_the_books_are_right(
    places: Places, weather: WeatherServer, no_such_name: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The breaker would spare the server most of this weather; it has its own tests.
    monkeypatch.setattr(circuit, "FAILURES_TO_OPEN", 10**6)
    questions = mixed([*KINDS, "refused", "unknown"], TIMES)

    results = asked_by_many(places, questions)

    weather.wait_until_answered(seconds=20)
    assert len(results) == 14 * TIMES
    wrong = [each for each in questions if isinstance(results[each], str) != is_answered(*each)]
    assert [(each, str(results[each])) for each in wrong] == []
    calls = {call.key: call for call in LLMCall.objects.all()}
    assert len(calls) == len(questions)  # one call and so at most one failure for each
    bills = weather.bills(PRICES)
    for kind, number in questions:
        call, result = calls[f"{kind}:{number}"], results[kind, number]
        whole = result if isinstance(result, str) else ""
        assert call.answer == whole
        assert whole in {"", ANSWER}
        assert whole == "" or "".join(places.heard[kind, number]) == ANSWER
        bill = bills[kind, number]
        assert call.cost_micros >= bill, (kind, number)
        assert call.is_estimated or call.cost_micros == bill, (kind, number)

    counted = [call for call in calls.values() if not call.is_estimated]
    assert (
        sum(call.cost_micros for call in counted) == sum(bills[_of(call)] for call in counted) > 0
    )
    assert len(counted) >= 6 * TIMES
    for workspace in (places.usual, places.refused, places.unknown):
        spend = Spend.objects.get(budget__workspace=workspace)
        own = sum(call.cost_micros for call in calls.values() if call.workspace_id == workspace.pk)
        assert (spend.reserved_micros, spend.spent_micros) == (0, own)
        assert ledger(workspace) == own
    assert ledger(places.refused) == ledger(places.unknown) == 0


def _of(call: LLMCall) -> Asked:
    kind, _, number = call.key.partition(":")
    return kind, int(number)


def test_in_any_weather_a_hundred_callers_never_pass_a_small_budget(
    places: Places, weather: WeatherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "FAILURES_TO_OPEN", 10**6)
    most = money.most_tokens([question("busy-wait", 10)]) * MICROS_IN + LIMIT * MICROS_OUT
    limit = 12 * most
    give_budget(places.usual, limit)
    highest: list[int] = []

    def one(number: int) -> str:
        kinds = list(KINDS)
        try:
            return places.ask(kinds[number % len(kinds)], number)
        finally:
            spend = Spend.objects.get(budget__workspace=places.usual)
            highest.append(spend.reserved_micros + spend.spent_micros)

    results = in_threads(CALLERS, one)

    weather.wait_until_answered(seconds=20)
    kinds_of_end = {type(result) for result in results}
    assert kinds_of_end <= {str, gateway.ProviderUnavailable} | _refusals(results)
    assert any(isinstance(result, gateway.BudgetExhausted) for result in results)
    # Only a server that answers with a dearer model than it was asked for costs more than was held.
    dearer = Reservation.objects.filter(settled_micros__gt=F("amount_micros"))
    beyond = sum(each.settled_micros - each.amount_micros for each in dearer)
    assert {_of(each.call)[0] for each in dearer.select_related("call")} <= {"another-model"}
    assert max(highest) <= limit + beyond
    spend = Spend.objects.get(budget__workspace=places.usual)
    assert spend.reserved_micros == 0
    assert sum(weather.bills(PRICES).values()) <= spend.spent_micros <= limit + beyond
    assert spend.spent_micros == ledger(places.usual)
    sent = {asked(seen.body) for seen in weather.completions()}
    paid_or_free = LLMCall.objects.exclude(status=LLMCall.Status.REFUSED)
    assert sent <= {_of(call) for call in paid_or_free}


def _refusals(results: list[str | Exception]) -> set[type]:
    return {type(each) for each in results if isinstance(each, gateway.BudgetExhausted)}


def test_with_a_second_server_everybody_is_answered_and_the_broken_one_is_left_alone(
    places: Places, weather: WeatherServer
) -> None:
    with ModelServer() as second:
        second.always(Behaviour(text=ANSWER))
        connect(places.usual, second)
        callers, each = 20, 8

        def work(caller: int) -> list[str]:
            return [places.ask("503", 2 * (caller * each + turn) + 1) for turn in range(each)]

        results = in_threads(callers, work)

        assert [error for error in results if isinstance(error, Exception)] == []
        assert {text for texts in results for text in texts} == {ANSWER}  # type: ignore[union-attr]
        assert len(second.completions()) == callers * each
    # Those under way when it opened, and the five before, two tries each.
    assert len(weather.completions()) <= 2 * (callers + circuit.FAILURES_TO_OPEN)
    assert Provider.objects.get(workspace=places.usual, rank=0).circuit == "open"
