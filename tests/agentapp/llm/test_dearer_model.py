"""A server that bills a dearer model than it is asked for passes a budget once, and not by more."""

from __future__ import annotations

import pytest

from agentapp.events.models import Event
from agentapp.identity.models import Seat
from agentapp.llm import gateway, services
from agentapp.llm.models import LLMCall, Provider, Reservation, Spend
from agentapp.llm.rules import money
from agentapp.llm.rules.money import Price
from agentapp.notifications.alerts import tell_owners
from agentapp.notifications.models import Notification
from tests.cast import Cast
from tests.fakes.connecting import MICROS_IN, MICROS_OUT, Ask, give_budget, in_threads, set_rate
from tests.fakes.model_server import Behaviour, ModelServer

DEAR, DEARER = "fake-dear", "fake-dearest"
TIMES = 5  # as dear as what was asked for
LIMIT = 50
LONG = Behaviour(text="word " * (LIMIT - 1) + "end", served_model=DEAR)
MOST = money.most_tokens(["How are you today?"]) * MICROS_IN + LIMIT * MICROS_OUT


@pytest.fixture(autouse=True)
def prices(db: None) -> None:
    set_rate(DEAR, TIMES * MICROS_IN, TIMES * MICROS_OUT)
    set_rate(DEARER, 2 * TIMES * MICROS_IN, 2 * TIMES * MICROS_OUT)


def held() -> list[int]:
    return list(Reservation.objects.order_by("pk").values_list("amount_micros", flat=True))


def test_after_the_first_such_answer_its_price_is_held(ask: Ask, server: ModelServer) -> None:
    server.always(LONG)

    for number in range(3):
        ask(key=f"turn:{number}", agent_id=None)

    assert held() == [MOST, TIMES * MOST, TIMES * MOST]
    costs = list(LLMCall.objects.order_by("pk").values_list("cost_micros", flat=True))
    tokens_in, tokens_out = server.billed_tokens()
    assert sum(costs) == TIMES * (tokens_in * MICROS_IN + tokens_out * MICROS_OUT)
    assert costs[0] > MOST
    assert costs[1] <= TIMES * MOST


def test_a_right_answer_is_still_billed_at_its_own_price(ask: Ask, server: ModelServer) -> None:
    server.behave(LONG)
    ask(key="turn:1", agent_id=None)

    right = ask(key="turn:2", agent_id=None)

    assert held()[1] == TIMES * MOST
    assert right.cost_micros == right.tokens_in * MICROS_IN + right.tokens_out * MICROS_OUT
    spend = Spend.objects.get()
    assert spend.reserved_micros == 0
    assert spend.spent_micros == sum(LLMCall.objects.values_list("cost_micros", flat=True))


@pytest.mark.django_db(transaction=True)
def test_only_calls_that_were_under_way_pass_the_budget(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    Provider.objects.update(cheap_model="fake-chat")
    set_rate(DEAR, TIMES * MICROS_IN, TIMES * MICROS_OUT)
    limit, flying = 20 * MOST, 6
    give_budget(live_cast.workspace, limit)
    server.always(Behaviour(text=LONG.text, served_model=DEAR, latency=1.0))

    first = in_threads(flying, lambda number: live_ask(key=f"flying:{number}"))
    assert not [each for each in first if isinstance(each, Exception)]
    server.always(LONG)
    later = in_threads(40, lambda number: live_ask(key=f"later:{number}"))

    assert any(isinstance(each, gateway.BudgetExhausted) for each in later)
    over = [
        each.settled_micros - each.amount_micros
        for each in Reservation.objects.all()
        if each.settled_micros > each.amount_micros
    ]
    assert 0 < len(over) <= flying
    spend = Spend.objects.get()
    tokens_in, tokens_out = server.billed_tokens()
    assert spend.spent_micros == TIMES * (tokens_in * MICROS_IN + tokens_out * MICROS_OUT)
    assert spend.spent_micros <= limit + flying * (TIMES - 1) * MOST
    # Every later call held what it cost, so none of them is part of what is over.
    late = Reservation.objects.filter(call__key__startswith="later")
    assert all(each.settled_micros <= each.amount_micros for each in late)


def test_the_owner_is_told_once_and_what_to_do(cast: Cast, ask: Ask, server: ModelServer) -> None:
    server.always(LONG)
    for number in range(3):
        ask(key=f"turn:{number}")
        tell_owners()

    told = Notification.objects.filter(kind="provider.bills_another")
    owners = Seat.objects.filter(workspace=cast.workspace, role=Seat.Role.OWNER)
    assert {each.user_id for each in told} == {each.user_id for each in owners}
    assert len(told) == len(owners)
    assert f"asked for fake-chat and answered with {DEAR}" in told[0].text
    assert "choose another model or server under Settings" in told[0].text
    assert Event.objects.filter(type="provider.bills_another").count() == 1


def test_a_still_dearer_one_is_held_from_then_on_and_a_cheaper_one_changes_nothing(
    ask: Ask, server: ModelServer
) -> None:
    for number, model in enumerate([DEAR, DEARER, DEAR, "fake-cheap"]):
        server.behave(Behaviour(served_model=model))
        ask(key=f"turn:{number}", agent_id=None)

    assert Provider.objects.get().bills_as == {"fake-chat": DEARER}
    assert held() == [MOST, TIMES * MOST, 2 * TIMES * MOST, 2 * TIMES * MOST]
    assert Event.objects.filter(type="provider.bills_another").count() == 2


def test_a_new_proof_finds_out_anew(cast: Cast, ask: Ask, server: ModelServer) -> None:
    server.behave(LONG)
    ask()

    def prove() -> dict[str, str]:
        services.set_provider(
            workspace=cast.workspace, base_url=server.base_url, key=server.key, by=cast.root
        )
        return dict(Provider.objects.get().bills_as)

    assert prove() == {}
    server.always(LONG)
    assert prove() == {"fake-chat": DEAR}


def test_a_name_that_no_column_could_hold_is_cleaned(ask: Ask, server: ModelServer) -> None:
    server.behave(Behaviour(served_model=f"\u202e{DEAR}\0"))
    ask(key="turn:1")
    server.behave(Behaviour(served_model="\ud800" + "x" * 100_000))
    ask(key="turn:2")

    assert Provider.objects.get().bills_as == {"fake-chat": DEAR}
    names = LLMCall.objects.order_by("pk").values_list("served_model", flat=True)
    assert [name[:10] for name in names] == [DEAR, "\ufffd" + "x" * 9]
    assert len(names[1]) == 120


def test_which_price_some_call_could_pass() -> None:
    asked = Price(10, 20, 1)
    assert not asked.is_passed_by(Price(10, 20, 1))
    assert not asked.is_passed_by(Price(1, 2, 0))
    assert asked.is_passed_by(Price(11, 2, 0))
    assert asked.is_passed_by(Price(1, 21, 0))
    assert asked.is_passed_by(Price(1, 2, 2))
