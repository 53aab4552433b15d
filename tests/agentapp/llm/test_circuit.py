"""A server that keeps failing is left alone; then one question finds out, of all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.llm import gateway, services
from agentapp.llm.circuit import FAILURES_TO_OPEN, OPEN_SECONDS, LeftAlone
from agentapp.llm.models import LLMCall, Provider, Spend
from tests.cast import Cast
from tests.fakes.connecting import Ask, connect, in_threads
from tests.fakes.model_server import Behaviour, ModelServer

CLOSED, OPEN, HALF_OPEN = Provider.Circuit.CLOSED, Provider.Circuit.OPEN, Provider.Circuit.HALF_OPEN
DOWN = Behaviour(raw=b"data: {not json\n\n")  # not worth a second try, so tests are quick
AFTER = timedelta(seconds=OPEN_SECONDS + 1)


def state() -> tuple[str, int]:
    provider = Provider.objects.get(rank=0)
    return provider.circuit, provider.circuit_failures


def fail(ask: Ask, times: int, **changes: object) -> None:
    for _ in range(times):
        with pytest.raises(gateway.ProviderUnavailable) as caught:
            ask(**changes)
        assert not isinstance(caught.value, LeftAlone)


@pytest.fixture
def opened(ask: Ask, server: ModelServer) -> Ask:
    """`ask` with the breaker open; the server would answer again."""
    server.always(DOWN)
    fail(ask, FAILURES_TO_OPEN)
    server.always(Behaviour())
    return ask


def test_an_open_breaker_stops_real_requests_and_costs_nothing(
    opened: Ask, server: ModelServer
) -> None:
    assert state() == (OPEN, FAILURES_TO_OPEN)
    spent = Spend.objects.get().spent_micros

    for _ in range(3):
        with pytest.raises(LeftAlone, match="tried again in a few seconds"):
            opened()

    assert len(server.completions()) == FAILURES_TO_OPEN
    assert LLMCall.objects.count() == FAILURES_TO_OPEN
    assert Spend.objects.get().spent_micros == spent
    assert [event.payload["state"] for event in Event.objects.filter(type="provider.circuit")] == [
        OPEN
    ]


def test_after_a_while_one_answer_closes_it(opened: Ask, server: ModelServer) -> None:
    with clock.shifted(AFTER):
        assert opened().text

    assert state() == (CLOSED, 0)
    assert opened(key="another").text
    events = Event.objects.filter(type="provider.circuit").order_by("pk")
    assert [event.payload["state"] for event in events] == [OPEN, HALF_OPEN, CLOSED]


def test_a_question_that_finds_it_still_down_opens_it_again(
    opened: Ask, server: ModelServer
) -> None:
    server.always(DOWN)
    with clock.shifted(AFTER):
        fail(opened, 1)
        with pytest.raises(LeftAlone):
            opened()

    assert state() == (OPEN, FAILURES_TO_OPEN + 1)
    assert len(server.completions()) == FAILURES_TO_OPEN + 1


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_one_finds_out(live_cast: Cast, live_ask: Ask, server: ModelServer) -> None:
    server.always(DOWN)
    fail(live_ask, FAILURES_TO_OPEN)
    server.always(Behaviour(latency=1.0))

    with clock.shifted(AFTER):
        results = in_threads(24, lambda number: live_ask(key=f"probe:{number}"))
        answered = [result for result in results if not isinstance(result, Exception)]
        assert len(answered) == 1
        assert sum(isinstance(result, LeftAlone) for result in results) == 23
        assert len(server.completions()) == FAILURES_TO_OPEN + 1
        assert state() == (CLOSED, 0)

        results = in_threads(8, lambda number: live_ask(key=f"after:{number}"))
    assert not [result for result in results if isinstance(result, Exception)]


def test_a_finder_that_died_is_replaced_when_its_lease_ends(opened: Ask) -> None:
    with clock.shifted(AFTER):
        Provider.objects.update(circuit=HALF_OPEN, circuit_until=clock.now() + timedelta(minutes=1))
        with pytest.raises(LeftAlone):
            opened()

    with clock.shifted(AFTER + timedelta(minutes=2)):
        assert opened().text
    assert state() == (CLOSED, 0)


def test_a_finder_that_was_replaced_changes_nothing_any_more(
    opened: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(latency=0.3))

    def replaced(_text: str) -> None:
        Provider.objects.update(circuit_until=clock.now() + timedelta(minutes=9))

    with clock.shifted(AFTER):
        assert opened(on_text=replaced).text

    assert state()[0] == HALF_OPEN


def test_a_finder_that_was_stopped_gives_the_question_back(
    opened: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(hang=True))
    with clock.shifted(AFTER):
        with pytest.raises(gateway.Stopped):
            opened(should_stop=lambda: True)
        assert state()[0] == OPEN
        server.always(Behaviour())
        assert opened().text
    assert state() == (CLOSED, 0)


def test_an_answer_in_between_begins_the_count_anew(ask: Ask, server: ModelServer) -> None:
    server.always(DOWN)
    fail(ask, FAILURES_TO_OPEN - 1)
    server.behave(Behaviour())
    assert ask(key="well").text
    assert state() == (CLOSED, 0)

    fail(ask, FAILURES_TO_OPEN - 1)
    assert state() == (CLOSED, FAILURES_TO_OPEN - 1)


@pytest.mark.parametrize(
    "not_down",
    [
        Behaviour(status=401),
        Behaviour(status=400, message="The prompt is too long"),
        Behaviour(status=429, retry_after="99"),
        Behaviour(text=""),
    ],
    ids=["key", "request", "busy", "empty"],
)
def test_what_is_no_outage_never_opens_it(
    ask: Ask, server: ModelServer, not_down: Behaviour
) -> None:
    server.always(not_down)

    fail(ask, FAILURES_TO_OPEN + 2)

    assert state() == (CLOSED, 0)


def test_a_server_that_hangs_opens_it(ask: Ask, server: ModelServer) -> None:
    Provider.objects.update(circuit_failures=FAILURES_TO_OPEN - 1)
    server.always(Behaviour(hang=True))

    fail(ask, 1, deadline_seconds=1)

    assert state()[0] == OPEN


@pytest.fixture
def second() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_the_next_server_answers_while_the_first_is_left_alone(
    cast: Cast,
    server: ModelServer,
    second: ModelServer,
    asking: Callable[[Cast], Ask],
) -> None:
    connect(cast.workspace, server)
    connect(cast.workspace, second)
    ask = asking(cast)
    server.always(DOWN)
    for number in range(FAILURES_TO_OPEN + 3):
        assert ask(key=f"turn:{number}").text

    assert len(server.completions()) == FAILURES_TO_OPEN
    assert len(second.completions()) == FAILURES_TO_OPEN + 3
    last = LLMCall.objects.order_by("-pk")[0]
    assert (last.key, last.provider and last.provider.rank) == (f"turn:{number}", 1)


def test_a_new_proof_closes_it(cast: Cast, opened: Ask, server: ModelServer) -> None:
    services.set_provider(
        workspace=cast.workspace, base_url=server.base_url, key=server.key, by=cast.root
    )

    assert state() == (CLOSED, 0)
    assert opened().text
