"""Connects a workspace of the tests to a fake model server, at prices one can count by hand."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TypeVar

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.secrets import seal
from agentapp.identity.models import Workspace
from agentapp.llm.calls import Answer
from agentapp.llm.models import Budget, Provider, Rate
from agentapp.llm.routes import KEY_COLUMN, KEY_TABLE
from tests.fakes.model_server import ModelServer

T = TypeVar("T")
Ask = Callable[..., Answer]  # gateway.ask with everything filled in
MICROS_IN, MICROS_OUT = 10, 20  # per token of fake-chat
CHEAP_IN, CHEAP_OUT = 1, 2  # per token of fake-cheap
_EVER = date(2020, 1, 1)


def connect(workspace: Workspace, server: ModelServer) -> Provider:
    """Make the server answer for a workspace, at a price."""
    for model, tokens_in, tokens_out in (
        ("fake-chat", MICROS_IN, MICROS_OUT),
        ("fake-cheap", CHEAP_IN, CHEAP_OUT),
    ):
        Rate.objects.get_or_create(
            model=model,
            effective_from=_EVER,
            defaults={
                "input_micros": tokens_in * 1_000_000,
                "output_micros": tokens_out * 1_000_000,
                "cached_micros": tokens_in * 1_000_000,
            },
        )
    provider = Provider(workspace=workspace, name="fake", is_default=True)
    provider.base_url = server.base_url
    provider.reply_model, provider.cheap_model = "fake-chat", "fake-cheap"
    provider.key_sealed = seal(table=KEY_TABLE, pk=provider.pk, column=KEY_COLUMN, text=server.key)
    provider.verified_at = GreenroomNow()
    provider.save()
    provider.refresh_from_db()
    return provider


def give_budget(workspace: Workspace, micros: int) -> Budget:
    """Set what a workspace may spend a day."""
    budget, _ = Budget.objects.update_or_create(
        workspace=workspace, agent=None, defaults={"day_micros": micros}
    )
    return budget


def in_threads(count: int, work: Callable[[int], T]) -> list[T | Exception]:
    """Run `work` in so many threads at once; return what each returned or raised."""

    def run(number: int) -> T | Exception:
        with fresh_connection():
            try:
                return work(number)
            except Exception as error:  # noqa: BLE001  (what was raised is the result)
                return error

    with ThreadPoolExecutor(max_workers=count) as pool:
        return list(pool.map(run, range(count)))
