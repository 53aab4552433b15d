"""Whatever a model server does, there is one answer or one clear failure, in time and paid."""

from __future__ import annotations

import json
import time

import pytest

from agentapp.events.models import Event
from agentapp.llm import gateway
from agentapp.llm.adapters.protocol import FailureKind
from agentapp.llm.models import LLMCall, Provider, Spend
from agentapp.llm.queries import alerts
from tests.cast import Cast
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask
from tests.fakes.model_server import Behaviour, ModelServer
from tests.pace import allowed

NORMAL = "You said something kind."


def event(content: str) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return b"data: " + json.dumps({"model": "fake-chat", "choices": [choice]}).encode() + b"\n\n"


def spent() -> int:
    """Return what is settled, after checking that nothing is held any more."""
    spend = Spend.objects.get()
    assert spend.reserved_micros == 0
    return spend.spent_micros


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Behaviour(status=401), FailureKind.KEY),
        (Behaviour(status=403), FailureKind.KEY),
        (Behaviour(status=402), FailureKind.CREDIT),
        (Behaviour(status=429, code="insufficient_quota"), FailureKind.CREDIT),
        (Behaviour(status=404, code="model_not_found"), FailureKind.MODEL),
        (Behaviour(status=404), FailureKind.ADDRESS),
        (Behaviour(status=302), FailureKind.ADDRESS),
        (Behaviour(status=400, message="The prompt is too long"), FailureKind.REQUEST),
        (Behaviour(status=422), FailureKind.REQUEST),
    ],
)
def test_what_waiting_cannot_heal_fails_at_once_and_costs_nothing(
    ask: Ask, server: ModelServer, trouble: Behaviour, kind: FailureKind
) -> None:
    server.always(trouble)

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask()

    assert caught.value.kind is kind
    assert len(server.completions()) == 1
    assert spent() == 0
    call = LLMCall.objects.get()
    assert (call.status, call.error) == (LLMCall.Status.FAILED, caught.value.message)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_trouble_is_tried_again_and_the_answer_paid_once(
    ask: Ask, server: ModelServer, status: int
) -> None:
    server.behave(Behaviour(status=status))

    answer = ask()

    assert answer.text == NORMAL
    assert LLMCall.objects.get().attempts == 2 == len(server.completions())
    tokens_in, tokens_out = server.billed_tokens()
    assert spent() == tokens_in * MICROS_IN + tokens_out * MICROS_OUT


def test_trouble_that_stays_ends_after_a_few_tries(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(status=503))

    with pytest.raises(gateway.ProviderUnavailable, match="status 503"):
        ask(deadline_seconds=30)

    assert len(server.completions()) == 4
    assert spent() == 0


def test_retry_after_is_waited_for(ask: Ask, server: ModelServer) -> None:
    server.behave(Behaviour(status=429, retry_after="2"))

    ask()

    first, second = server.completions()
    assert 2.0 <= second.at - first.at < 4.0


def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(
    ask: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(status=429, retry_after="60"))
    began = time.monotonic()

    with pytest.raises(gateway.ProviderUnavailable, match="busy"):
        ask(deadline_seconds=5)

    assert time.monotonic() - began < allowed(1.5)
    assert len(server.completions()) == 1


def test_a_broken_connection_before_the_first_token_is_tried_again(
    ask: Ask, server: ModelServer
) -> None:
    server.behave(Behaviour(reset=True))

    assert ask().text == NORMAL

    call = LLMCall.objects.get()
    assert call.attempts == 2
    assert call.is_estimated  # nobody knows whether the first server counted
    tokens_in, tokens_out = server.billed_tokens()
    assert spent() > tokens_in * MICROS_IN + tokens_out * MICROS_OUT


@pytest.mark.parametrize(
    "cut",
    [
        Behaviour(text="one two three four five", cut_after=3, gap=0.02),
        Behaviour(text="one two three four five", with_finish=False, with_usage=False),
        Behaviour(raw=event("half of") + b'data: {"error": {"message": "overloaded"}}\n\n'),
        Behaviour(raw=event("half of") + b"data: {broken\n\n"),
    ],
    ids=["connection", "no end", "error inside", "malformed inside"],
)
def test_half_an_answer_is_no_answer_and_is_not_asked_for_again(
    ask: Ask, server: ModelServer, cut: Behaviour
) -> None:
    server.always(cut)

    with pytest.raises(gateway.ProviderUnavailable):
        ask()

    call = LLMCall.objects.get()
    assert (call.status, call.answer, call.attempts) == (LLMCall.Status.FAILED, "", 1)
    assert call.is_estimated
    assert len(server.completions()) == 1
    tokens_in, tokens_out = server.billed_tokens()
    assert spent() == call.cost_micros >= tokens_in * MICROS_IN + tokens_out * MICROS_OUT


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (Behaviour(raw=b"data: {not json\n\n"), FailureKind.MALFORMED),
        (Behaviour(raw=b"data: 5\n\ndata: [DONE]\n\n"), FailureKind.MALFORMED),
        (Behaviour(raw=b"data: null\n\ndata: [DONE]\n\n"), FailureKind.MALFORMED),
        (Behaviour(raw=b"data: {}\n\ndata: [DONE]\n\n"), FailureKind.CUT),
        (Behaviour(raw=b'data: {"choices": "no list"}\n\ndata: [DONE]\n\n'), FailureKind.MALFORMED),
        (Behaviour(raw=b"\xff\xfe\xff\n\n"), FailureKind.MALFORMED),
        (Behaviour(raw=b'{"choices": []}', content_type="application/json"), FailureKind.MALFORMED),
        (Behaviour(raw=b"<html>hello</html>", content_type="text/html"), FailureKind.ADDRESS),
        (Behaviour(text=""), FailureKind.EMPTY),
        (Behaviour(text=" \n "), FailureKind.EMPTY),
        (Behaviour(text="", finish_reason="length"), FailureKind.EMPTY),
        (Behaviour(text="half", finish_reason="content_filter"), FailureKind.FILTERED),
    ],
    ids=lambda value: "" if isinstance(value, Behaviour) else str(value),
)
def test_what_is_no_answer_is_a_failure(
    ask: Ask, server: ModelServer, odd: Behaviour, kind: FailureKind
) -> None:
    server.always(odd)

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask()

    assert caught.value.kind is kind
    assert LLMCall.objects.get().answer == ""
    spent()


def test_an_empty_answer_is_paid_as_counted(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(text=""))

    with pytest.raises(gateway.ProviderUnavailable, match="answered with nothing"):
        ask()

    tokens_in, _ = server.billed_tokens()
    assert spent() == tokens_in * MICROS_IN > 0
    assert not LLMCall.objects.get().is_estimated


def test_a_server_that_does_not_count_is_estimated_and_marked(
    ask: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(with_usage=False))

    answer = ask()

    tokens_in, tokens_out = server.billed_tokens()
    assert LLMCall.objects.get().is_estimated
    assert answer.cost_micros >= tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    assert spent() == answer.cost_micros


@pytest.mark.parametrize(
    "endless",
    [
        Behaviour(text="word " * 200_000, ignores_limit=True),
        Behaviour(raw=event("x" * 10_000_000)),
        Behaviour(raw=b"data: " + b"x" * 10_000_000),
        Behaviour(raw=b": keep alive\n\n" * 800_000),
    ],
    ids=["many events", "one event", "one line", "comments"],
)
def test_ten_megabytes_are_cut_off_soon(ask: Ask, server: ModelServer, endless: Behaviour) -> None:
    server.always(endless)
    began = time.monotonic()

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask(deadline_seconds=20)

    assert caught.value.kind is FailureKind.TOO_LONG
    assert time.monotonic() - began < allowed(15)
    assert LLMCall.objects.get().answer == ""
    spent()


@pytest.mark.parametrize(
    "slow",
    [
        Behaviour(hang=True),
        Behaviour(drip=1.0),
        Behaviour(text="word " * 100, gap=0.3),
        Behaviour(latency=30),
    ],
    ids=["hang", "a byte a second", "a word now and then", "late"],
)
def test_the_deadline_holds_whatever_the_server_does(
    ask: Ask, server: ModelServer, slow: Behaviour
) -> None:
    server.always(slow)
    began = time.monotonic()

    with pytest.raises(gateway.ProviderUnavailable, match="within 3 seconds"):
        ask(deadline_seconds=3)

    assert 2.9 <= time.monotonic() - began < allowed(3.6)
    call = LLMCall.objects.get()
    assert (call.status, call.is_estimated) == (LLMCall.Status.FAILED, True)
    assert spent() == call.cost_micros > 0


def test_a_stop_ends_the_stream_within_two_seconds(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(text="word " * 500, gap=0.05))
    heard: list[str] = []
    stopped_at = 0.0

    def should_stop() -> bool:
        nonlocal stopped_at
        if len(heard) > 10 and not stopped_at:
            stopped_at = time.monotonic()
        return bool(stopped_at)

    with pytest.raises(gateway.Stopped):
        ask(on_text=heard.append, should_stop=should_stop, deadline_seconds=30, max_tokens=900)

    assert time.monotonic() - stopped_at < allowed(2)
    server.wait_until_answered(seconds=2)  # the server noticed too
    call = LLMCall.objects.get()
    assert (call.status, call.answer) == (LLMCall.Status.FAILED, "")
    tokens_in, _ = server.billed_tokens()
    assert spent() >= tokens_in * MICROS_IN


def test_a_stop_while_nothing_comes_ends_the_wait(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(hang=True))
    began = time.monotonic()

    with pytest.raises(gateway.Stopped):
        ask(should_stop=lambda: time.monotonic() - began > 1, deadline_seconds=30)

    assert time.monotonic() - began < allowed(2)


def test_a_stop_is_asked_for_at_most_four_times_a_second(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(text="word " * 200, gap=0.005))
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return False

    began = time.monotonic()
    ask(should_stop=should_stop, max_tokens=900)

    assert 2 <= asked <= (time.monotonic() - began) * 4 + 2


def test_a_refused_key_is_shown_on_the_provider_and_told_once(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    server.key = "sk-another-key-0123456789"
    for _ in range(2):
        with pytest.raises(gateway.ProviderUnavailable, match="refused the key"):
            ask()

    assert "refused the key" in Provider.objects.get().last_error
    told = Event.objects.get(type="provider.failed")
    assert told.workspace_id == cast.workspace.pk
    (alert,) = alerts(since=told.created_at)
    assert (alert.kind, alert.subject_kind) == ("provider.failed", "provider")
    assert "Paste a valid one" in alert.text


def test_the_note_goes_when_the_provider_answers_again(ask: Ask, server: ModelServer) -> None:
    Provider.objects.update(last_error="The model server refused the key.")

    ask()

    assert Provider.objects.get().last_error == ""


def test_a_key_never_reaches_logs_errors_or_rows(
    ask: Ask, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for trouble in (
        Behaviour(status=400, message=f"Bad request with {server.key} inside"),
        Behaviour(status=404, code="model_not_found", message=f"no model for {server.key}"),
        Behaviour(status=401, message=f"Incorrect API key provided: {server.key}"),
        Behaviour(raw=b'data: {"error": {"message": "%b"}}\n\n' % server.key.encode()),
    ):
        server.always(trouble)
        with pytest.raises(gateway.ProviderUnavailable) as caught:
            ask()
        assert server.key not in f"{caught.value!r} {caught.value.__cause__!r}"

    rows = [*LLMCall.objects.values_list("error"), *Provider.objects.values_list("last_error")]
    payloads = Event.objects.values_list("payload", flat=True)
    assert server.key not in f"{rows} {list(payloads)}"
    assert server.key not in caplog.text
