"""When a failed request is sent again, and which models are picked."""

from __future__ import annotations

import random

import pytest

from agentapp.llm.adapters.protocol import FailureKind
from agentapp.llm.rules.picking import (
    answer_allowance,
    can_talk,
    is_version_of,
    picked_models,
    same_model,
    thinks_first,
)
from agentapp.llm.rules.retrying import MAX_ATTEMPTS, parsed_retry_after, retry_wait

RETRIED = {FailureKind.BUSY, FailureKind.SERVER, FailureKind.CONNECTION}


def wait(
    kind: FailureKind = FailureKind.BUSY,
    *,
    attempt: int = 1,
    retry_after: float | None = None,
    remaining: float = 60,
) -> float | None:
    return retry_wait(
        kind,
        attempt=attempt,
        retry_after=retry_after,
        remaining=remaining,
        rng=random.Random(7),  # noqa: S311  (spreads retries)
    )


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_passing_trouble_is_worth_another_try(kind: FailureKind) -> None:
    assert (wait(kind) is not None) is (kind in RETRIED)


def test_waits_double_with_jitter_and_end() -> None:
    waits = [wait(attempt=attempt) for attempt in range(1, MAX_ATTEMPTS)]
    assert all(
        most / 2 <= (found or 0) <= most for found, most in zip(waits, [0.5, 1, 2], strict=True)
    )
    assert wait(attempt=MAX_ATTEMPTS) is None


def test_at_least_retry_after_is_waited() -> None:
    found = wait(retry_after=5)
    assert found is not None
    assert 5 <= found <= 5.5


def test_a_wait_that_leaves_no_time_for_an_answer_is_not_begun() -> None:
    assert wait(retry_after=10, remaining=10.9) is None
    assert wait(remaining=1.2) is None
    assert wait(retry_after=0, remaining=1.6) is not None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("3", 3.0), ("0.5", 0.5), ("0", 0.0), ("-1", None), ("soon", None),
        ("inf", None), ("nan", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    assert parsed_retry_after(header) == seconds


@pytest.mark.parametrize(
    ("names", "reply", "cheap"),
    [
        (["gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "text-embedding-3"], "gpt-4.1", "gpt-4.1-mini"),
        (["claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929"],
         "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"),
        (["openai/gpt-4.1", "openai/gpt-4.1-mini"], "openai/gpt-4.1", "openai/gpt-4.1-mini"),
        (["gpt-4.1-2025-04-14", "gpt-4.1"], "gpt-4.1", "gpt-4.1"),
        (["mistral-large-latest", "mistral-small-latest"],
         "mistral-large-latest", "mistral-small-latest"),
        (["nomic-embed-text", "qwen3:8b", "llama3.2:3b-instruct"],
         "llama3.2:3b-instruct", "llama3.2:3b-instruct"),
        (["qwen3:8b"], "qwen3:8b", "qwen3:8b"),
        (["gpt-5-nano"], "gpt-5-nano", "gpt-5-nano"),
        (["whisper-1", "dall-e-3"], "", ""),
        ([], "", ""),
    ],
)  # fmt: skip
def test_a_reply_and_a_cheap_model_are_picked(names: list[str], reply: str, cheap: str) -> None:
    assert picked_models(names) == (reply, cheap)


def test_versions_and_other_models_are_told_apart() -> None:
    assert is_version_of("gpt-4o-2024-08-06", "gpt-4o")
    assert not is_version_of("gpt-4o-mini", "gpt-4o")
    assert same_model("gpt-4o-2024-08-06", "openai/gpt-4o")
    assert same_model("gpt-4o", "gpt-4o-2024-08-06")
    assert not same_model("gpt-4o-mini", "gpt-4o")
    assert not can_talk("text-embedding-3-large")


def test_models_that_think_get_room_for_it() -> None:
    assert thinks_first("openai/gpt-5-mini")
    assert not thinks_first("gpt-4.1")
    assert answer_allowance("gpt-5-mini", 100) == 1600
    assert answer_allowance("gpt-4.1", 100) == 100
