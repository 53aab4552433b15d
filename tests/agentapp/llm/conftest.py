"""A model server on loopback, connected to the cast's workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from agentapp.llm import gateway
from agentapp.llm.adapters import adapter_for
from agentapp.llm.tickets import Answer
from tests.cast import Cast
from tests.fakes.connecting import Ask, connect
from tests.fakes.dialects import DialectServer
from tests.fakes.model_server import ModelServer


@pytest.fixture(autouse=True)
def only_loopback(settings: Settings) -> None:
    settings.LLM_ALLOW_REQUESTS = False
    # Hashing the cast's passwords well would take longer than most tests here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def loaded_sdk() -> None:
    """Load the SDKs before any deadline runs; on a busy machine it takes seconds."""
    adapter_for("openai")
    adapter_for("anthropic")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def asking() -> Callable[[Cast], Ask]:
    """A maker of `ask` for tests that connect servers of their own."""
    return _asking


def _asking(cast: Cast) -> Ask:
    def ask(**changes: Any) -> Answer:
        question: dict[str, Any] = {
            "workspace_id": cast.workspace.pk,
            "purpose": "reply",
            "messages": [gateway.ChatMessage(gateway.Role.USER, "How are you today?")],
            "key": "turn:1:reply",
            "agent_id": cast.ada.pk,
            "max_tokens": 50,
            "deadline_seconds": 10,
        }
        return gateway.ask(**(question | changes))

    return ask


@pytest.fixture
def ask(cast: Cast, server: ModelServer) -> Ask:
    """`gateway.ask` with everything filled in, in a test that is rolled back."""
    connect(cast.workspace, server)
    return _asking(cast)


@pytest.fixture
def asks_dialect(cast: Cast) -> Iterator[tuple[Ask, DialectServer]]:
    """`ask` with a server that sends what it is told, byte for byte."""
    with DialectServer() as running:
        connect(cast.workspace, running)
        yield _asking(cast), running


@pytest.fixture
def live_ask(live_cast: Cast, server: ModelServer) -> Ask:
    """The same, really committed, for tests with several connections."""
    connect(live_cast.workspace, server)
    return _asking(live_cast)
