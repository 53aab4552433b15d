"""One question, one answer, paid once."""

from __future__ import annotations

import threading

import pytest
from django.db import transaction

from agentapp.events.models import Event
from agentapp.foundation.database import OpenTransaction
from agentapp.llm import gateway
from agentapp.llm.errors import NoProvider, StillRunning
from agentapp.llm.models import LLMCall, Provider, Reservation, Spend
from agentapp.llm.queries import has_provider
from tests.cast import Cast
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask, in_threads
from tests.fakes.model_server import Behaviour, ModelServer

DONE, FAILED = LLMCall.Status.DONE, LLMCall.Status.FAILED


def test_an_answer_streams_is_kept_and_costs_what_the_server_counted(
    ask: Ask, server: ModelServer
) -> None:
    heard: list[str] = []

    answer = ask(on_text=heard.append)

    assert answer.text == "You said something kind." == "".join(heard)
    assert len(heard) == 4
    tokens_in, tokens_out = server.billed_tokens()
    cost = tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    assert (answer.tokens_in, answer.tokens_out, answer.cost_micros) == (
        tokens_in,
        tokens_out,
        cost,
    )
    spend = Spend.objects.get()
    assert (spend.spent_micros, spend.reserved_micros, spend.background_micros) == (cost, 0, 0)
    call = LLMCall.objects.get()
    assert (call.status, call.answer, call.attempts) == (DONE, answer.text, 1)
    assert (call.model, call.served_model, call.is_estimated) == ("fake-chat", "fake-chat", False)
    assert call.rate is not None
    assert call.first_token_ms is not None
    assert call.first_token_ms <= call.latency_ms
    reservation = Reservation.objects.get()
    assert (reservation.state, reservation.settled_micros) == ("settled", cost)
    assert reservation.amount_micros >= cost
    event = Event.objects.get(type="llm.call.finished")
    assert (event.agent_id, event.payload["cost_micros"]) == (call.agent_id, cost)


def test_the_server_gets_the_prompt_the_limit_and_the_key(ask: Ask, server: ModelServer) -> None:
    ask(max_tokens=33, temperature=0.2)

    (seen,) = server.completions()
    assert seen.key == server.key
    assert seen.body["messages"] == [{"role": "user", "content": "How are you today?"}]
    assert (seen.body["max_tokens"], seen.body["temperature"]) == (33, 0.2)
    assert seen.body["stream_options"] == {"include_usage": True}


def test_inside_a_transaction_nothing_is_asked(ask: Ask, server: ModelServer) -> None:
    with transaction.atomic(), pytest.raises(OpenTransaction):
        ask()

    assert server.requests == []
    assert not LLMCall.objects.exists()


def test_a_repeated_key_gets_the_saved_answer_and_pays_once(ask: Ask, server: ModelServer) -> None:
    first = ask()
    spent = Spend.objects.get().spent_micros

    again = ask()

    assert again == first
    assert len(server.completions()) == 1
    assert Spend.objects.get().spent_micros == spent


def test_a_failed_key_may_be_asked_again_as_a_row_of_its_own(ask: Ask, server: ModelServer) -> None:
    server.behave(Behaviour(status=400))
    with pytest.raises(gateway.ProviderUnavailable):
        ask()

    answer = ask()

    assert answer.text
    rows = LLMCall.objects.order_by("pk").values_list("key", "status")
    assert list(rows) == [("turn:1:reply", FAILED), ("turn:1:reply#2", DONE)]
    assert ask() == answer


def test_a_key_longer_than_its_column_still_pays_once(ask: Ask, server: ModelServer) -> None:
    assert ask(key="k" * 500) == ask(key="k" * 500)
    assert len(server.completions()) == 1


@pytest.mark.django_db(transaction=True)
def test_the_row_and_its_money_are_there_before_the_request_leaves(
    live_ask: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(latency=1))
    thread = threading.Thread(target=lambda: in_threads(1, lambda _: live_ask()))
    thread.start()
    server.wait_for_requests(1)

    assert LLMCall.objects.get().status == LLMCall.Status.RUNNING
    held = Reservation.objects.get()
    assert held.amount_micros == Spend.objects.get().reserved_micros > 0
    assert held.state == "reserved"
    thread.join()
    assert Spend.objects.get().reserved_micros == 0


@pytest.mark.django_db(transaction=True)
def test_one_key_asked_by_many_at_once_is_asked_once(live_ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(latency=0.5))

    results = in_threads(8, lambda _: live_ask())

    assert len(server.completions()) == 1
    assert sum(isinstance(result, StillRunning) for result in results) == 7
    assert Spend.objects.get().spent_micros == LLMCall.objects.get().cost_micros


def test_without_a_provider_there_is_a_clear_refusal(cast: Cast, ask: Ask) -> None:
    Provider.objects.all().delete()

    assert not has_provider(cast.workspace)
    with pytest.raises(NoProvider, match="Add one under Settings"):
        ask()


def test_rehearsal_answers_only_in_demos_and_nothing_else_does_there(cast: Cast, ask: Ask) -> None:
    Provider.objects.update(kind=Provider.Kind.REHEARSAL)
    with pytest.raises(NoProvider):
        ask()

    Provider.objects.update(kind=Provider.Kind.OPENAI)
    cast.workspace.is_demo = True
    cast.workspace.save()
    with pytest.raises(NoProvider):
        ask()


def test_small_work_goes_to_the_cheap_model(ask: Ask, server: ModelServer) -> None:
    assert ask(purpose="decide").model == "fake-cheap"
    assert ask(purpose="reply", key="another").model == "fake-chat"


def test_an_answer_cut_by_its_limit_says_so(ask: Ask, server: ModelServer) -> None:
    server.always(Behaviour(text="one two three four five"))

    answer = ask(max_tokens=3)

    assert (answer.text, answer.finish_reason) == ("one two three", "length")
    assert ask(max_tokens=3).finish_reason == "length"  # the saved one too


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\0b", "ab"),
        ("half \ud83d a face", "half \ufffd a face"),
        ("whole \ud83d\ude00 face", "whole \U0001f600 face"),
        ("rtl \u202etxet", "rtl txet"),
    ],
)
def test_hostile_characters_are_neither_fatal_nor_kept(
    ask: Ask, server: ModelServer, said: str, kept: str
) -> None:
    server.always(Behaviour(text=said))
    heard: list[str] = []

    assert ask(on_text=heard.append).text == kept
    "".join(heard).encode()  # what was shown could be sent on
    assert "\0" not in "".join(heard)
    assert LLMCall.objects.get().answer == kept


def test_a_surrogate_pair_split_over_two_events_becomes_one_character(
    ask: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(text="x\ud83d \ude00"))  # the server splits at the space
    server.reply = lambda body: "unused"
    heard: list[str] = []

    ask(on_text=heard.append)

    "".join(heard).encode()


def test_an_error_in_the_callers_callback_still_settles(ask: Ask, server: ModelServer) -> None:
    def broken(_text: str) -> None:
        raise ValueError("the page is gone")

    with pytest.raises(ValueError, match="the page is gone"):
        ask(on_text=broken)

    call = LLMCall.objects.get()
    assert (call.status, call.is_estimated) == (FAILED, True)
    assert Spend.objects.get().reserved_micros == 0
    assert Spend.objects.get().spent_micros == call.cost_micros > 0


def test_another_model_than_asked_is_paid_at_the_dearer_price(
    ask: Ask, server: ModelServer
) -> None:
    server.always(Behaviour(served_model="fake-chat"))

    answer = ask(purpose="decide")

    tokens_in, tokens_out = server.billed_tokens()
    assert answer.model == "fake-chat"
    assert answer.cost_micros == tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    assert LLMCall.objects.get().model == "fake-cheap"
