"""Budgets are never passed, whoever races, and the ledger is what the server counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.llm import gateway, purses, services
from agentapp.llm.models import Budget, LLMCall, Provider, Rate, Reservation, Spend
from agentapp.llm.queries import alerts, budget_left, budget_state, spend_today
from agentapp.llm.rules import money
from agentapp.llm.rules.money import Level
from tests.cast import Cast
from tests.fakes.connecting import (
    CHEAP_IN,
    CHEAP_OUT,
    MICROS_IN,
    MICROS_OUT,
    Ask,
    give_budget,
    in_threads,
)
from tests.fakes.model_server import Behaviour, ModelServer

PROMPT = "How are you today?"
LIMIT = 50
MOST = money.most_tokens([PROMPT]) * MICROS_IN + LIMIT * MICROS_OUT
MOST_CHEAP = money.most_tokens([PROMPT]) * CHEAP_IN + LIMIT * CHEAP_OUT


def ledger() -> int:
    states = [Reservation.State.SETTLED, Reservation.State.LOST]
    rows = Reservation.objects.filter(state__in=states, spend__budget__agent__isnull=True)
    return rows.aggregate(total=Sum("settled_micros"))["total"] or 0


@pytest.mark.django_db(transaction=True)
def test_a_hundred_callers_never_pass_a_budget_for_ten(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    Provider.objects.update(cheap_model="fake-chat")
    limit = 10 * MOST
    give_budget(live_cast.workspace, limit)
    server.always(Behaviour(text="word " * (LIMIT - 1) + "end", latency=2))
    highest: list[int] = []
    server.reply = lambda body: "unused"

    def one(number: int) -> int:
        try:
            return live_ask(key=f"turn:{number}", deadline_seconds=30).cost_micros
        finally:
            spend = Spend.objects.get()
            highest.append(spend.reserved_micros + spend.spent_micros)

    results = in_threads(100, one)

    paid = [result for result in results if isinstance(result, int)]
    refused = [result for result in results if isinstance(result, gateway.BudgetExhausted)]
    assert len(paid) + len(refused) == 100, [r for r in results if isinstance(r, Exception)][:3]
    assert len(paid) >= 10
    assert max(highest) <= limit
    spend = Spend.objects.get()
    tokens_in, tokens_out = server.billed_tokens()
    billed = tokens_in * MICROS_IN + tokens_out * MICROS_OUT
    assert spend.spent_micros == ledger() == sum(paid) == billed <= limit
    assert spend.reserved_micros == 0
    assert len(server.completions()) == len(paid)


@pytest.mark.django_db(transaction=True)
def test_more_callers_than_database_connections_all_get_through(
    live_cast: Cast, live_ask: Ask, server: ModelServer
) -> None:
    give_budget(live_cast.workspace, 10**9)
    server.always(Behaviour(latency=1.5))

    results = in_threads(40, lambda number: live_ask(key=f"turn:{number}", deadline_seconds=30))

    assert [result for result in results if isinstance(result, Exception)] == []
    started = [seen.at for seen in server.completions()]
    # With a connection kept during the call, only as many as the pool holds would run at once.
    assert sum(at < started[0] + 1.5 for at in started) > 24


def test_one_dollar_a_day_is_on_before_the_first_call(cast: Cast, ask: Ask) -> None:
    ask()

    row = Budget.objects.get()
    assert (row.day_micros, row.agent) == (1_000_000, None)
    assert spend_today(cast.workspace).limit == 1_000_000
    assert Event.objects.filter(type="budget.changed").count() == 1


def test_a_used_up_budget_refuses_tells_once_and_sends_nothing(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    give_budget(cast.workspace, MOST_CHEAP - 1)

    for key in ("one", "two", "one"):
        with pytest.raises(gateway.BudgetExhausted, match="Raise it under Costs"):
            ask(key=key)

    assert server.requests == []
    told = Event.objects.get(type="budget.exhausted")
    (alert,) = alerts(since=told.created_at)
    assert alert.subject_id == Spend.objects.get().pk
    assert "is used up" in alert.text
    refused = LLMCall.objects.filter(status=LLMCall.Status.REFUSED)
    assert list(refused.order_by("pk").values_list("key", flat=True)) == ["one", "two"]


def test_a_refused_question_is_answered_once_there_is_money(cast: Cast, ask: Ask) -> None:
    give_budget(cast.workspace, 1)
    with pytest.raises(gateway.BudgetExhausted):
        ask()

    services.set_budget(workspace=cast.workspace, day_micros=1_000_000, by=cast.root)

    assert ask().text
    assert LLMCall.objects.get().status == LLMCall.Status.DONE


def test_when_the_reply_model_is_too_dear_for_what_is_left_the_cheap_one_answers(
    cast: Cast, ask: Ask
) -> None:
    give_budget(cast.workspace, MOST - 1)

    assert ask().model == "fake-cheap"


def test_an_agents_own_budget_counts_beside_the_workspaces(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    own = services.set_budget(
        workspace=cast.workspace, day_micros=MOST_CHEAP - 1, agent=cast.ada, by=cast.root
    )

    with pytest.raises(gateway.BudgetExhausted, match="This agent's budget"):
        ask()
    answer = ask(agent_id=cast.bo.pk, key="bo")

    assert Spend.objects.get(budget=own).spent_micros == 0
    shared = Spend.objects.get(budget__agent__isnull=True)
    assert (shared.spent_micros, shared.reserved_micros) == (answer.cost_micros, 0)
    states = budget_left(pairs={(agent.pk, cast.workspace.pk) for agent in (cast.ada, cast.bo)})
    assert states == {cast.ada.pk: False, cast.bo.pk: True}


def test_both_budgets_are_settled_to_the_same_cost(cast: Cast, ask: Ask) -> None:
    services.set_budget(workspace=cast.workspace, day_micros=10**6, agent=cast.ada, by=cast.root)

    answer = ask()

    assert set(Spend.objects.values_list("spent_micros", "reserved_micros")) == {
        (answer.cost_micros, 0)
    }
    assert Spend.objects.count() == 2


def test_background_work_stops_at_its_share_while_people_are_still_answered(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    give_budget(cast.workspace, 20 * MOST_CHEAP)
    stops_at, share = money.background_limits(20 * MOST_CHEAP)

    def decide_on_and_on() -> None:
        for number in range(100):
            ask(purpose="decide", key=f"decide:{number}")

    with pytest.raises(gateway.BudgetExhausted, match="nobody waits"):
        decide_on_and_on()

    spend = Spend.objects.get()
    assert stops_at - MOST_CHEAP <= spend.background_micros <= share
    assert spend.background_micros == spend.spent_micros
    assert not Event.objects.filter(type="budget.exhausted").exists()
    assert ask(key="somebody asks").text
    assert Spend.objects.get().background_micros == spend.background_micros


def test_from_95_percent_only_the_cheap_model_answers_and_nothing_in_the_background(
    cast: Cast, ask: Ask
) -> None:
    row = give_budget(cast.workspace, 1_000_000)
    ask()
    Spend.objects.update(spent_micros=950_000)

    state = budget_state(workspace=cast.workspace, agent_id=cast.ada.pk)
    assert state.level is Level.LOW
    assert ask(key="somebody asks").model == "fake-cheap"
    with pytest.raises(gateway.BudgetExhausted, match="kept for who asks"):
        ask(key="background", purpose="decide")
    Spend.objects.update(spent_micros=row.day_micros)
    state = budget_state(workspace=cast.workspace, agent_id=cast.ada.pk)
    assert state.level is Level.EXHAUSTED


def test_what_runs_on_ones_own_machine_costs_nothing_and_no_budget_stops_it(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    Rate.objects.all().delete()
    give_budget(cast.workspace, 0)

    answer = ask()

    assert (answer.cost_micros, answer.tokens_out) == (0, 4)
    assert LLMCall.objects.get().rate is None
    state = budget_state(workspace=cast.workspace, agent_id=cast.ada.pk)
    assert state.level is Level.OK
    assert budget_left(pairs={(cast.ada.pk, cast.workspace.pk)}) == {cast.ada.pk: True}
    assert ask(key="decide", purpose="decide").text


def test_a_money_shortage_that_calls_under_way_cause_is_not_called_used_up(
    cast: Cast, ask: Ask
) -> None:
    give_budget(cast.workspace, 2 * MOST)
    ask()
    Spend.objects.update(reserved_micros=2 * MOST, spent_micros=0)

    with pytest.raises(gateway.BudgetExhausted, match="under way"):
        ask(key="another")

    assert not Event.objects.filter(type="budget.exhausted").exists()
    assert Spend.objects.get().exhausted_at is None


@pytest.mark.parametrize(
    ("zone", "hour", "other_day"),
    [("Pacific/Auckland", 9, False), ("Pacific/Auckland", 13, True), ("UTC", 13, False)],
)
def test_a_day_begins_in_the_workspaces_time_zone(
    cast: Cast, ask: Ask, zone: str, hour: int, other_day: bool
) -> None:
    cast.workspace.timezone = zone
    cast.workspace.save()
    morning = clock.now().replace(month=6, day=15, hour=8, minute=0)

    with clock.shifted(morning - clock.now()):
        ask(key="before")
    with clock.shifted(morning.replace(hour=hour) - clock.now()):
        ask(key="after")

    assert Spend.objects.count() == (2 if other_day else 1)


def test_tomorrow_has_a_budget_of_its_own(cast: Cast, ask: Ask) -> None:
    give_budget(cast.workspace, 1)
    with pytest.raises(gateway.BudgetExhausted):
        ask()
    give_budget(cast.workspace, MOST)

    with clock.shifted(timedelta(days=1)):
        assert ask(key="tomorrow").text

    assert Spend.objects.filter(exhausted_at__isnull=False).count() == 1


def test_a_retry_that_may_be_billed_twice_is_held_twice(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    give_budget(cast.workspace, MOST)  # room for one try only
    Provider.objects.update(cheap_model="fake-chat")
    server.behave(Behaviour(reset=True), times=4)

    with pytest.raises(gateway.ProviderUnavailable):
        ask()

    assert len(server.completions()) == 1
    spend = Spend.objects.get()
    assert 0 < spend.spent_micros <= MOST
    assert spend.reserved_micros == 0


@pytest.mark.parametrize("amount", [-1, 10**18])
def test_a_senseless_budget_is_refused(cast: Cast, amount: int) -> None:
    with pytest.raises(services.Invalid, match=r"between \$0"):
        services.set_budget(workspace=cast.workspace, day_micros=amount, by=cast.root)


def test_only_owners_set_budgets_and_only_for_their_own(cast: Cast) -> None:
    changes: list[dict[str, Any]] = [
        {"workspace": cast.workspace, "by": cast.sam},
        {"workspace": cast.workspace, "by": cast.olga},
        {"workspace": cast.elsewhere, "agent": cast.ada, "by": cast.root},
        {"workspace": cast.workspace, "agent": cast.ada, "by": cast.olga},
    ]
    for change in changes:
        with pytest.raises((services.Refused, services.NotFound)):
            services.set_budget(day_micros=5, **change)

    assert not Budget.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_first_calls_of_a_day_make_one_budget_and_one_day(
    live_cast: Cast, live_ask: Ask
) -> None:
    results = in_threads(12, lambda number: live_ask(key=f"turn:{number}", deadline_seconds=30))

    assert [result for result in results if isinstance(result, Exception)] == []
    assert Budget.objects.count() == 1 == Spend.objects.count()
    assert purses.ensure(live_cast.workspace).day_micros == 1_000_000
