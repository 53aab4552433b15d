"""What the costs page and the gates read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from agentapp.foundation import clock
from agentapp.llm.models import Budget, Provider, Rate, Spend
from agentapp.llm.prices import known_price, load_rates, price_in_words
from agentapp.llm.queries import (
    budget_left,
    budget_state,
    recent_calls,
    spend_by_agent,
    spend_by_day,
    spend_today,
    today_in,
)
from agentapp.llm.rules.money import FREE, Level, Price
from tests.cast import Cast
from tests.fakes.connecting import Ask, give_budget

TODAY = date(2026, 11, 20)


def price(model: str, *, base_url: str = "https://api.example.com/v1", day: date = TODAY) -> Price:
    return known_price(kind="openai", base_url=base_url, model=model, day=day)


@pytest.mark.parametrize(
    ("model", "tokens_in", "tokens_out", "known"),
    [
        ("gpt-4o", 2_500_000, 10_000_000, True),
        ("gpt-4o-2024-08-06", 2_500_000, 10_000_000, True),
        ("gpt-4o-mini", 150_000, 600_000, True),
        ("openai/gpt-4.1-mini-2025-04-14", 400_000, 1_600_000, True),
        ("claude-haiku-4-5-20251001", 1_000_000, 5_000_000, True),
        ("gpt-5", 1_250_000, 10_000_000, True),
        ("gpt-5.9-future", 5_000_000, 30_000_000, True),
        ("someones-own-model", 10_000_000, 50_000_000, False),
    ],
)
def test_the_longest_pattern_prices_a_model(
    db: None, model: str, tokens_in: int, tokens_out: int, known: bool
) -> None:
    found = price(model)
    assert (found.input_micros, found.output_micros, found.is_known) == (
        tokens_in, tokens_out, known,
    )  # fmt: skip


def test_a_price_holds_from_its_date_on(db: None) -> None:
    load_rates()
    Rate.objects.create(
        model="gpt-4o*",
        effective_from=date(2026, 11, 15),
        input_micros=1,
        output_micros=2,
        cached_micros=1,
    )

    assert price("gpt-4o", day=date(2026, 11, 14)).input_micros == 2_500_000
    assert price("gpt-4o", day=date(2026, 11, 15)).input_micros == 1


def test_loading_the_price_list_again_changes_nothing(db: None) -> None:
    load_rates()
    Rate.objects.filter(model="gpt-4o*").update(input_micros=7)
    count = Rate.objects.count()

    load_rates()

    assert Rate.objects.count() == count
    assert price("gpt-4o").input_micros == 7


def test_own_machines_and_rehearsals_are_free_unless_they_pass_questions_on(db: None) -> None:
    local = "http://127.0.0.1:11434/v1"
    assert price("qwen3:8b", base_url=local) == FREE
    assert price("gpt-4o", base_url=local) == FREE
    Rate.objects.create(
        model="resold", effective_from=TODAY, input_micros=5, output_micros=6, cached_micros=5
    )
    assert price("resold", base_url=local).input_micros == 5
    assert known_price(kind="rehearsal", base_url="", model="rehearsal", day=TODAY) == FREE


def test_prices_are_said_in_words(db: None) -> None:
    assert price_in_words(FREE) == "free: it runs on your own machines"
    assert price_in_words(price("gpt-4o")) == "$2.50 in, $10.00 out per million tokens"
    assert (
        price_in_words(price("mystery"))
        == "price unknown, counted at $10.00 in, $50.00 out per million tokens"
    )


def test_spend_by_day_has_every_day_once_and_ends_today(cast: Cast) -> None:
    row = give_budget(cast.workspace, 100)
    own = Budget.objects.create(workspace=cast.workspace, agent=cast.ada, day_micros=100)
    today = today_in(cast.workspace)
    Spend.objects.create(budget=row, day=today, spent_micros=30, reserved_micros=5)
    Spend.objects.create(budget=row, day=today - timedelta(days=2), spent_micros=7)
    Spend.objects.create(budget=own, day=today, spent_micros=30)
    Spend.objects.create(budget=give_budget(cast.elsewhere, 5), day=today, spent_micros=999)

    found = spend_by_day(cast.workspace, 4)

    assert [row.micros for row in found] == [0, 7, 0, 30]
    assert found[-1].day == today
    view = spend_today(cast.workspace)
    assert (view.spent, view.reserved, view.limit) == (30, 5, 100)


def test_spend_by_agent_counts_calls_by_the_workspaces_days(cast: Cast, ask: Ask) -> None:
    first = ask(key="ada")
    with clock.shifted(timedelta(days=-3)):
        before = ask(key="ada before")
    ask(key="bo", agent_id=cast.bo.pk, max_tokens=1)
    ask(key="nobody", agent_id=None)

    rows = spend_by_agent(cast.workspace)

    assert [row.agent for row in rows] == [cast.ada, cast.bo]
    ada = rows[0]
    assert (ada.today, ada.month) == (first.cost_micros, first.cost_micros + before.cost_micros)
    assert ada.calls == 2
    assert len(ada.days) == 14
    assert (ada.days[-1], ada.days[-4]) == (first.cost_micros, before.cost_micros)
    assert spend_by_agent(cast.elsewhere) == []


def test_recent_calls_are_of_one_workspace_only(cast: Cast, ask: Ask) -> None:
    answer = ask()

    assert [call.pk for call in recent_calls(cast.workspace)] == [answer.call_id]
    assert not recent_calls(cast.elsewhere).exists()


def test_without_any_call_every_budget_is_fine(cast: Cast) -> None:
    assert budget_state(workspace=cast.workspace, agent_id=cast.ada.pk).level is Level.OK
    assert budget_left(pairs={(cast.ada.pk, cast.workspace.pk)}) == {cast.ada.pk: True}
    assert budget_left(pairs=[]) == {}


def test_reads_do_not_grow_with_the_number_of_agents(
    cast: Cast, ask: Ask, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ask()
    ask(key="bo", agent_id=cast.bo.pk)
    Provider.objects.update(base_url="https://api.example.com/v1")
    for pairs in (
        {(cast.ada.pk, cast.workspace.pk)},
        {(cast.ada.pk, cast.workspace.pk), (cast.bo.pk, cast.workspace.pk)},
    ):
        with django_assert_num_queries(5):
            left = budget_left(pairs=pairs)
        assert left == {agent_id: True for agent_id, _ in pairs}
    with django_assert_num_queries(3):
        spent = spend_by_agent(cast.workspace)
    assert {row.agent.pk for row in spent} == {cast.ada.pk, cast.bo.pk}
    with django_assert_num_queries(4):
        state = budget_state(workspace=cast.workspace, agent_id=cast.ada.pk)
    assert state.level is Level.OK
