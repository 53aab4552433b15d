"""Connects a workspace of the tests to a fake model server, at prices one can count by hand."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Protocol, TypeVar

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.secrets import seal
from agentapp.identity.models import Workspace
from agentapp.llm.models import Budget, Provider, Rate
from agentapp.llm.routes import KEY_COLUMN, KEY_TABLE
from agentapp.llm.tickets import Answer
from tests.fakes.anthropic_server import AnthropicServer


class Server(Protocol):
    """What every fake server has."""

    key: str

    @property
    def base_url(self) -> str: ...


T = TypeVar("T")
Ask = Callable[..., Answer]  # gateway.ask with everything filled in
MICROS_IN, MICROS_OUT = 10, 20  # per token of fake-chat
CHEAP_IN, CHEAP_OUT = 1, 2  # per token of fake-cheap
_EVER = date(2020, 1, 1)


def connect(workspace: Workspace, server: Server) -> Provider:
    """Make the server answer for a workspace, at a price, after those connected before."""
    set_rate("fake-chat", MICROS_IN, MICROS_OUT)
    set_rate("fake-cheap", CHEAP_IN, CHEAP_OUT)
    return _connected(workspace, server, reply_model="fake-chat", cheap_model="fake-cheap")


def set_rate(model: str, tokens_in: int, tokens_out: int, *, cached: int | None = None) -> None:
    """Give a model a price in micro-dollars per token."""
    Rate.objects.get_or_create(
        model=model,
        effective_from=_EVER,
        defaults={
            "input_micros": tokens_in * 1_000_000,
            "output_micros": tokens_out * 1_000_000,
            "cached_micros": (tokens_in if cached is None else cached) * 1_000_000,
        },
    )


def connect_anthropic(workspace: Workspace, server: AnthropicServer) -> Provider:
    """Make a server that speaks Anthropic's protocol answer; what it had cached costs a micro."""
    set_rate("claude-sonnet-5", MICROS_IN, MICROS_OUT, cached=1)
    return _connected(
        workspace,
        server,
        kind=Provider.Kind.ANTHROPIC,
        reply_model="claude-sonnet-5",
        cheap_model="claude-sonnet-5",
    )


def _connected(workspace: Workspace, server: Server, **fields: object) -> Provider:
    rank = Provider.objects.filter(workspace=workspace).count()
    provider = Provider(workspace=workspace, name=f"fake {rank}", is_default=rank == 0, rank=rank)
    provider.base_url = server.base_url
    provider.key_sealed = seal(table=KEY_TABLE, pk=provider.pk, column=KEY_COLUMN, text=server.key)
    provider.verified_at = GreenroomNow()
    for name, value in fields.items():
        setattr(provider, name, value)
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
