"""Several servers in an order: the next is asked when one is down, and nobody hears two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from agentapp.events.models import Event
from agentapp.foundation.errors import NotFound, Refused
from agentapp.llm import gateway, services
from agentapp.llm.models import LLMCall, Provider, Spend
from agentapp.llm.queries import has_provider
from tests.cast import Cast
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask, connect, connect_anthropic
from tests.fakes.model_server import Behaviour, ModelServer
from tests.pace import allowed

DONE, FAILED = LLMCall.Status.DONE, LLMCall.Status.FAILED


@pytest.fixture
def second() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


@pytest.fixture
def ask(
    cast: Cast, server: ModelServer, second: AnthropicServer, asking: Callable[[Cast], Ask]
) -> Ask:
    connect(cast.workspace, server)
    connect_anthropic(cast.workspace, second)
    return asking(cast)


def billed(*servers: ModelServer) -> int:
    counts = [server.billed_tokens() for server in servers]
    return sum(count_in * MICROS_IN + count_out * MICROS_OUT for count_in, count_out in counts)


def test_while_the_first_answers_the_second_is_not_asked(
    ask: Ask, server: ModelServer, second: AnthropicServer
) -> None:
    assert ask().model == "fake-chat"

    assert second.requests == []
    assert LLMCall.objects.get().provider == Provider.objects.get(rank=0)


@pytest.mark.parametrize(
    "down",
    [
        Behaviour(status=503),
        Behaviour(status=429, retry_after="30"),
        Behaviour(status=401),
        Behaviour(status=402),
        Behaviour(status=404, code="model_not_found"),
        Behaviour(raw=b"data: {not json\n\n"),
        Behaviour(hang=True),
        Behaviour(drip=1.0),
    ],
    ids=["503", "429", "key", "credit", "model", "malformed", "hang", "drip"],
)
def test_when_the_first_is_down_the_second_answers_in_time(
    ask: Ask, server: ModelServer, second: AnthropicServer, down: Behaviour
) -> None:
    server.always(down)
    heard: list[str] = []
    began = time.monotonic()

    answer = ask(deadline_seconds=6, on_text=heard.append)

    assert time.monotonic() - began < allowed(5)
    assert answer.text == "".join(heard) == "You said something kind."
    assert len(server.completions()) <= 2
    failed, done = LLMCall.objects.order_by("pk").select_related("provider")
    assert (failed.status, failed.key) == (FAILED, "turn:1:reply")
    assert (done.status, done.key) == (DONE, "turn:1:reply#2")
    assert [call.provider and call.provider.rank for call in (failed, done)] == [0, 1]
    assert failed.error
    if down.hang or down.drip:
        assert "within 3 seconds" in failed.error  # half of the time; the rest was the next one's
    assert done.served_model == "claude-sonnet-5"
    spend = Spend.objects.get()
    assert spend.reserved_micros == 0
    assert spend.spent_micros == failed.cost_micros + done.cost_micros >= billed(server, second)
    assert ask() == answer  # the saved one: nobody is asked again


def test_a_server_that_cannot_be_reached_is_passed_over(
    cast: Cast, ask: Ask, second: AnthropicServer
) -> None:
    Provider.objects.filter(rank=0).update(base_url="http://127.0.0.1:9/v1")

    assert ask().model == "claude-sonnet-5"
    assert Spend.objects.get().spent_micros == billed(second)


@pytest.mark.parametrize(
    "begun",
    [
        Behaviour(text="one two three four five", cut_after=3, gap=0.02),
        Behaviour(text="word " * 100, gap=0.1),
    ],
    ids=["cut", "slow"],
)
def test_once_words_have_come_nobody_else_is_asked(
    ask: Ask, server: ModelServer, second: AnthropicServer, begun: Behaviour
) -> None:
    server.always(begun)

    with pytest.raises(gateway.ProviderUnavailable):
        ask(deadline_seconds=3, max_tokens=300)

    assert second.requests == []


@pytest.mark.parametrize(
    "of_the_question",
    [
        Behaviour(status=400, message="The prompt is too long"),
        Behaviour(text=""),
        Behaviour(text="", finish_reason="content_filter"),
    ],
    ids=["refused", "empty", "filtered"],
)
def test_what_is_not_the_servers_fault_is_not_asked_elsewhere(
    ask: Ask, server: ModelServer, second: AnthropicServer, of_the_question: Behaviour
) -> None:
    server.always(of_the_question)

    with pytest.raises(gateway.ProviderUnavailable):
        ask()

    assert second.requests == []


def test_when_all_are_down_there_is_one_failure(
    ask: Ask, server: ModelServer, second: AnthropicServer
) -> None:
    server.always(Behaviour(status=500))
    second.always(Behaviour(status=529))

    with pytest.raises(gateway.ProviderUnavailable, match="overloaded"):
        ask(deadline_seconds=20)

    assert LLMCall.objects.filter(status=FAILED).count() == 2
    assert Spend.objects.get().spent_micros == 0 == Spend.objects.get().reserved_micros


def test_a_stop_asks_nobody_else(ask: Ask, server: ModelServer, second: AnthropicServer) -> None:
    server.always(Behaviour(hang=True))
    began = time.monotonic()

    with pytest.raises(gateway.Stopped):
        ask(should_stop=lambda: time.monotonic() - began > 0.5, deadline_seconds=20)

    assert second.requests == []


def test_a_slow_answer_that_began_in_time_may_take_the_whole_deadline(
    ask: Ask, server: ModelServer, second: AnthropicServer
) -> None:
    server.always(Behaviour(text="one two three four five six", gap=0.5))

    assert ask(deadline_seconds=5).model == "fake-chat"  # 3 s: more than half of it
    assert second.requests == []


def test_the_demo_and_the_real_never_answer_for_each_other(
    cast: Cast, ask: Ask, server: ModelServer, second: AnthropicServer
) -> None:
    Provider.objects.filter(rank=1).update(kind=Provider.Kind.REHEARSAL)
    server.always(Behaviour(status=401))
    with pytest.raises(gateway.ProviderUnavailable):
        ask()

    cast.workspace.is_demo = True
    cast.workspace.save()
    assert ask(key="in the demo").model == "rehearsal"
    assert len(server.completions()) == 1


def order(cast: Cast) -> list[str]:
    rows = Provider.objects.filter(workspace=cast.workspace).order_by("rank")
    assert [row.is_default for row in rows] == [True, *[False] * (len(rows) - 1)]
    assert [row.rank for row in rows] == list(range(len(rows)))
    return [row.name for row in rows]


def test_owners_choose_the_order_and_the_next_moves_up(cast: Cast, server: ModelServer) -> None:
    with ModelServer() as two, ModelServer() as three:
        for each in (server, two, three):
            services.set_provider(
                workspace=cast.workspace, base_url=each.base_url, key=each.key, by=cast.root
            )
        one_name, two_name, three_name = order(cast)
        last = Provider.objects.get(rank=2)

        services.ask_earlier(workspace=cast.workspace, provider_id=last.pk, by=cast.root)
        assert order(cast) == [one_name, three_name, two_name]
        services.ask_earlier(workspace=cast.workspace, provider_id=last.pk, by=cast.root)
        services.ask_earlier(workspace=cast.workspace, provider_id=last.pk, by=cast.root)
        assert order(cast) == [three_name, one_name, two_name]
        assert Event.objects.filter(type="provider.moved").count() == 2

        services.remove_provider(workspace=cast.workspace, provider_id=last.pk, by=cast.root)
        assert order(cast) == [one_name, two_name]
        services.remove_provider(workspace=cast.workspace, by=cast.root)
        assert order(cast) == [two_name]
    assert has_provider(cast.workspace)


def test_only_owners_order_and_only_their_own(cast: Cast, ask: Ask) -> None:
    last = Provider.objects.get(rank=1)
    for by in (cast.sam, cast.olga):
        with pytest.raises((Refused, NotFound)):
            services.ask_earlier(workspace=cast.workspace, provider_id=last.pk, by=by)
    with pytest.raises(NotFound):
        services.ask_earlier(workspace=cast.elsewhere, provider_id=last.pk, by=cast.olga)

    assert Provider.objects.get(pk=last.pk).rank == 1


def test_eight_servers_are_enough(cast: Cast, server: ModelServer) -> None:
    for number in range(services.MAX_PROVIDERS):
        Provider.objects.create(workspace=cast.workspace, name=str(number), rank=number)

    with pytest.raises(services.Invalid, match="At most 8"):
        services.set_provider(
            workspace=cast.workspace, base_url=server.base_url, key=server.key, by=cast.root
        )
