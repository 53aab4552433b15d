"""Each figure of a model server is moved by what really happens there, and falls again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import Client

from agentapp.foundation import clock
from agentapp.llm import gateway, watchdog
from agentapp.llm.circuit import FAILURES_TO_OPEN, OPEN_SECONDS
from agentapp.llm.models import LLMCall, Provider, Reservation, Spend
from tests.fakes.connecting import connect
from tests.fakes.model_server import Behaviour, ModelServer
from tests.town import Town

HOUR = timedelta(hours=1, seconds=1)
DOWN = Behaviour(raw=b"data: {not json\n\n")
LINE = re.compile(r"^greenroom_(\w+)\{(.*)\} (\S+)$")
Read = Callable[[], dict[tuple[str, str], float]]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def provider(town: Town, server: ModelServer) -> Provider:
    return connect(town.workspace, server)


@pytest.fixture
def read(client: Client, provider: Provider) -> Read:
    """Scrape; return the figures of the server by name and its other labels."""

    def scrape() -> dict[tuple[str, str], float]:
        response = client.get("/metrics", REMOTE_ADDR="127.0.0.1", SERVER_NAME="localhost")
        found = {}
        for line in response.content.decode().splitlines():
            match = LINE.match(line)
            if match and f'provider="{provider.pk}"' in match[2]:
                labels = re.sub(r',?provider="[^"]*"|(?<=\{),', "", match[2]).strip(",")
                found[match[1], labels] = float(match[3])
        return found

    return scrape


def ask(town: Town, key: str) -> None:
    gateway.ask(
        workspace_id=town.workspace.pk,
        purpose="reply",
        messages=[gateway.ChatMessage(gateway.Role.USER, "How are you today?")],
        key=key,
        max_tokens=50,
        deadline_seconds=10,
    )


def test_the_breaker_shows_as_open_and_as_closed_again(
    town: Town, server: ModelServer, read: Read
) -> None:
    def states() -> list[float]:
        figures = read()
        states = ("closed", "open", "half_open")
        return [figures["provider_circuit", f'kind="openai",state="{each}"'] for each in states]

    assert states() == [1, 0, 0]
    server.always(DOWN)
    for number in range(FAILURES_TO_OPEN):
        with pytest.raises(gateway.ProviderUnavailable):
            ask(town, f"down:{number}")
    assert states() == [0, 1, 0]
    server.always(Behaviour())
    with clock.shifted(timedelta(seconds=OPEN_SECONDS + 1)):
        ask(town, "well")
    assert states() == [1, 0, 0]


def test_kinds_of_trouble_are_counted_and_the_newest_is_named(
    town: Town, server: ModelServer, read: Read
) -> None:
    for number, how in enumerate([DOWN, DOWN, Behaviour(status=401)]):
        server.behave(how)
        with pytest.raises(gateway.ProviderUnavailable):
            ask(town, f"turn:{number}")

    figures = read()
    assert figures["provider_failures_last_hour", 'kind="malformed"'] == 2
    assert figures["provider_failures_last_hour", 'kind="key"'] == 1
    newest = [labels for name, labels in figures if name.startswith("provider_last_failure")]
    assert newest == ['kind="key"']
    with clock.shifted(HOUR):
        assert not [name for name, _ in read() if "failure" in name]


def test_calls_under_way_and_what_they_cost_rise_and_fall(
    town: Town, server: ModelServer, read: Read
) -> None:
    assert read()["provider_calls_running", ""] == 0
    ask(town, "turn:1")
    cost = LLMCall.objects.get().cost_micros
    assert read()["provider_cost_dollars_last_hour", 'end="settled"'] == cost / 1_000_000

    # A worker that died in the middle: its row is as it was when the request left.
    call, spend = LLMCall.objects.get(), Spend.objects.get()
    LLMCall.objects.update(status=LLMCall.Status.RUNNING, cost_micros=0)
    Reservation.objects.all().delete()
    Reservation.objects.create(
        call=call, spend=spend, amount_micros=900, lease_until=clock.now() + timedelta(minutes=1)
    )
    Spend.objects.update(reserved_micros=900)
    assert read()["provider_calls_running", ""] == 1
    with clock.shifted(timedelta(minutes=2)):
        assert watchdog.settle_lost() == 1
        figures = read()
    assert figures["provider_calls_running", ""] == 0
    assert figures["provider_cost_dollars_last_hour", 'end="lost"'] == 0.0009
    assert figures["provider_failures_last_hour", 'kind="worker"'] == 1
    with clock.shifted(HOUR):
        assert not [name for name, _ in read() if "cost" in name]


def test_no_label_carries_a_secret_an_address_or_a_name(
    town: Town, server: ModelServer, provider: Provider, client: Client
) -> None:
    Provider.objects.update(name="annas-laptop.local", base_url="http://annas-laptop.local/v1")
    server.behave(DOWN)
    with pytest.raises(gateway.ProviderUnavailable):
        gateway.ask(
            workspace_id=town.workspace.pk,
            purpose="reply",
            messages=[gateway.ChatMessage(gateway.Role.USER, "Anna's secret")],
            key="a key",
        )

    text = client.get("/metrics", REMOTE_ADDR="127.0.0.1", SERVER_NAME="localhost").content.decode()
    assert str(provider.pk) in text
    for word in ("anna", server.key, provider.key_hint or "ghij", "127.0.0.1", "fake"):
        assert word.lower() not in text.lower()
