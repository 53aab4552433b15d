"""Anthropic's own protocol: the same promises, kept on another wire."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from agentapp.llm import gateway, services
from agentapp.llm.adapters.protocol import FailureKind
from agentapp.llm.errors import NotProven
from agentapp.llm.models import LLMCall, Provider, Spend
from tests.cast import Cast
from tests.fakes.anthropic_server import KEY, AnthropicServer
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask, connect_anthropic
from tests.fakes.model_server import Behaviour
from tests.pace import allowed

NORMAL = "You said something kind."


@pytest.fixture
def claude() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


@pytest.fixture
def ask(cast: Cast, claude: AnthropicServer, asking: Callable[[Cast], Ask]) -> Ask:
    connect_anthropic(cast.workspace, claude)
    return asking(cast)


def spent() -> int:
    spend = Spend.objects.get()
    assert spend.reserved_micros == 0
    return spend.spent_micros


def event(kind: str, **members: object) -> bytes:
    body = json.dumps({"type": kind, **members}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"


START = event(
    "message_start",
    message={"model": "claude-sonnet-5", "usage": {"input_tokens": 9, "output_tokens": 1}},
)
HALF = START + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "half"})
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def test_an_answer_streams_and_costs_what_the_server_counted(
    ask: Ask, claude: AnthropicServer
) -> None:
    heard: list[str] = []

    answer = ask(on_text=heard.append)

    assert answer.text == NORMAL == "".join(heard)
    assert len(heard) == 4
    tokens_in, tokens_out = claude.billed_tokens()
    assert (answer.tokens_in, answer.tokens_out) == (tokens_in, tokens_out)
    assert spent() == tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    call = LLMCall.objects.get()
    assert (call.is_estimated, call.finish_reason) == (False, "stop")
    assert call.served_model == "claude-sonnet-5"


def test_the_prompt_goes_in_the_protocols_own_shape(ask: Ask, claude: AnthropicServer) -> None:
    role = gateway.Role
    said = [(role.SYSTEM, "Be kind."), (role.USER, "One."), (role.USER, "Two.")]

    ask(messages=[gateway.ChatMessage(*part) for part in said], max_tokens=33, temperature=1.7)

    (seen,) = claude.completions()
    assert seen.body["system"] == "Be kind."
    assert seen.body["messages"] == [{"role": "user", "content": "One.\n\nTwo."}]
    assert (seen.body["max_tokens"], seen.body["temperature"]) == (33, 1.0)
    assert seen.key == KEY


def test_what_the_server_had_cached_is_counted_and_paid_as_such(
    ask: Ask, claude: AnthropicServer
) -> None:
    claude.cached, claude.written = 2, 1

    answer = ask()

    tokens_in, tokens_out = claude.billed_tokens()
    call = LLMCall.objects.get()
    assert (call.tokens_in, call.tokens_cached) == (tokens_in, 2)
    cost = (tokens_in - 2) * MICROS_IN + 2 * 1 + tokens_out * MICROS_OUT
    assert answer.cost_micros == cost == spent()


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Behaviour(status=401), FailureKind.KEY),
        (Behaviour(status=403), FailureKind.KEY),
        (Behaviour(status=402), FailureKind.CREDIT),
        (
            Behaviour(status=400, message="Your credit balance is too low to use this."),
            FailureKind.CREDIT,
        ),
        (Behaviour(status=404, message="model: claude-nowhere"), FailureKind.MODEL),
        (Behaviour(status=404, message="Not Found"), FailureKind.ADDRESS),
        (Behaviour(status=400, message="prompt is too long"), FailureKind.REQUEST),
        (Behaviour(status=413, message="Request exceeds the size"), FailureKind.REQUEST),
    ],
)
def test_what_waiting_cannot_heal_fails_at_once_and_costs_nothing(
    ask: Ask, claude: AnthropicServer, trouble: Behaviour, kind: FailureKind
) -> None:
    claude.always(trouble)

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask()

    assert caught.value.kind is kind
    assert len(claude.completions()) == 1
    assert spent() == 0


@pytest.mark.parametrize("status", [429, 500, 504, 529])
def test_passing_trouble_is_tried_again_and_the_answer_paid_once(
    ask: Ask, claude: AnthropicServer, status: int
) -> None:
    claude.behave(Behaviour(status=status))

    assert ask().text == NORMAL

    assert LLMCall.objects.get().attempts == 2 == len(claude.completions())
    tokens_in, tokens_out = claude.billed_tokens()
    assert spent() == tokens_in * MICROS_IN + tokens_out * MICROS_OUT


def test_overload_that_stays_says_so(ask: Ask, claude: AnthropicServer) -> None:
    claude.always(Behaviour(status=529))

    with pytest.raises(gateway.ProviderUnavailable, match=r"overloaded \(status 529\)"):
        ask(deadline_seconds=20)


def test_retry_after_is_waited_for(ask: Ask, claude: AnthropicServer) -> None:
    claude.behave(Behaviour(status=429, retry_after="1"))

    ask()

    first, second = claude.completions()
    assert 1.0 <= second.at - first.at < 3.0


def test_overload_after_the_start_and_before_a_word_is_tried_again(
    ask: Ask, claude: AnthropicServer
) -> None:
    claude.behave(Behaviour(raw=START + OVERLOADED))

    assert ask().text == NORMAL

    assert LLMCall.objects.get().is_estimated  # the first try had been accepted


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (Behaviour(raw=HALF + OVERLOADED), FailureKind.SERVER),
        (Behaviour(raw=HALF), FailureKind.CUT),
        (Behaviour(raw=HALF + b"event: message_delta\ndata: {broken\n\n"), FailureKind.MALFORMED),
        (Behaviour(text="one two three", cut_after=2, gap=0.02), FailureKind.CUT),
        (Behaviour(text="one two", with_finish=False), FailureKind.CUT),
        (Behaviour(raw=b"event: message_start\ndata: 5\n\n"), FailureKind.MALFORMED),
        (Behaviour(raw=b"{}", content_type="application/json"), FailureKind.MALFORMED),
        (Behaviour(raw=b"<html>", content_type="text/html"), FailureKind.ADDRESS),
        (Behaviour(text=""), FailureKind.EMPTY),
        (Behaviour(text="I will not", finish_reason="refusal"), FailureKind.FILTERED),
    ],
    ids=lambda value: "" if isinstance(value, Behaviour) else str(value),
)
def test_half_an_answer_is_no_answer_and_is_not_asked_for_again(
    ask: Ask, claude: AnthropicServer, odd: Behaviour, kind: FailureKind
) -> None:
    claude.always(odd)

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask()

    assert caught.value.kind is kind
    assert LLMCall.objects.get().answer == ""
    assert len(claude.completions()) == 1
    tokens_in, tokens_out = claude.billed_tokens()
    assert spent() >= (tokens_in * MICROS_IN + tokens_out * MICROS_OUT) * (odd.raw is None)


def test_an_answer_cut_by_its_limit_says_so(ask: Ask, claude: AnthropicServer) -> None:
    claude.always(Behaviour(text="one two three four five"))

    assert ask(max_tokens=3).finish_reason == "length"


def test_a_server_that_does_not_count_is_estimated(ask: Ask, claude: AnthropicServer) -> None:
    claude.always(Behaviour(with_usage=False))

    assert ask().text == NORMAL
    assert LLMCall.objects.get().is_estimated


def test_the_deadline_holds_against_a_byte_a_second(ask: Ask, claude: AnthropicServer) -> None:
    claude.always(Behaviour(drip=1.0))
    began = time.monotonic()

    with pytest.raises(gateway.ProviderUnavailable, match="within 2 seconds"):
        ask(deadline_seconds=2)

    assert time.monotonic() - began < allowed(2.8)


def test_ten_megabytes_are_cut_off(ask: Ask, claude: AnthropicServer) -> None:
    claude.always(Behaviour(raw=event("ping", padding="x" * 10_000_000)))

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask(deadline_seconds=20)

    assert caught.value.kind is FailureKind.TOO_LONG


def test_what_a_model_does_not_take_is_left_out_and_remembered(
    ask: Ask, claude: AnthropicServer
) -> None:
    claude.always(Behaviour(unknown=("temperature", "thinking")))

    ask()
    ask(key="another")

    assert len(claude.completions()) == 4  # two refusals, then two answers
    assert not {"temperature", "thinking"} & set(claude.completions()[-1].body)


def test_the_hosts_own_account_stays_at_home(
    ask: Ask, claude: AnthropicServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-host")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-the-host")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/of-the-host")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-team: of-the-host")

    ask()

    (seen,) = claude.completions()
    assert "of-the-host" not in str(seen.headers)
    assert not [name for name in seen.headers if name.startswith("x-stainless")]


def test_one_connection_serves_one_question_after_the_other(
    ask: Ask, claude: AnthropicServer
) -> None:
    for number in range(4):
        ask(key=f"q{number}")

    assert len({seen.client for seen in claude.completions()}) == 1


def test_a_key_never_reaches_errors_or_rows(ask: Ask, claude: AnthropicServer) -> None:
    for trouble in (
        Behaviour(status=400, message=f"Bad request with {KEY} inside"),
        Behaviour(raw=event("error", error={"type": "api_error", "message": f"oh {KEY}"})),
    ):
        claude.always(trouble)
        with pytest.raises(gateway.ProviderUnavailable) as caught:
            ask(deadline_seconds=3)
        assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"

    assert KEY not in str(list(LLMCall.objects.values_list("error")))


def test_an_address_and_a_key_are_proven_by_one_completion(
    cast: Cast, claude: AnthropicServer
) -> None:
    proof = services.set_provider(
        workspace=cast.workspace, base_url=claude.base_url, key=KEY, kind="anthropic", by=cast.root
    )

    assert (proof.model, proof.cheap_model) == ("claude-sonnet-5", "claude-haiku-5-5")
    assert proof.text == NORMAL
    assert Provider.objects.get().kind == Provider.Kind.ANTHROPIC


def test_a_wrong_key_is_not_kept(cast: Cast, claude: AnthropicServer) -> None:
    wrong = "sk-ant-wrong-0123456789abcdef"
    with pytest.raises(NotProven, match="refused the key") as caught:
        services.set_provider(
            workspace=cast.workspace,
            base_url=claude.base_url,
            key=wrong,
            kind="anthropic",
            by=cast.root,
        )

    assert wrong not in str(caught.value)
    assert not Provider.objects.exists()


def test_a_key_of_anthropic_is_not_sent_to_another_company(cast: Cast) -> None:
    with pytest.raises(services.BadKey, match=r"api\.anthropic\.com"):
        services.set_provider(
            workspace=cast.workspace, base_url="https://api.openai.com/v1", key=KEY, by=cast.root
        )
