"""Choosing under Settings who makes the vectors of memories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agentapp.config import env
from agentapp.memory.models import EmbeddingChoice
from tests.cast import Cast
from tests.dashboard.remembering import make_memory
from tests.fakes.connecting import connect
from tests.fakes.model_server import ModelServer


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_a_server_is_chosen_and_left_again(cast: Cast, root: Client, server: ModelServer) -> None:
    provider = connect(cast.workspace, server)
    make_memory(cast, cast.sam)
    address = reverse("embeddings")
    assert "This machine" in root.get(address).content.decode()

    chosen = {"provider": str(provider.pk), "model": "fake-embedding", "dimensions": "512"}
    assert root.post(address, chosen).status_code == 302

    assert EmbeddingChoice.objects.get().provider == provider
    assert "0 of 1 memories" in root.get(address).content.decode()
    assert root.post(address, {"provider": ""}).status_code == 302
    assert EmbeddingChoice.objects.get().provider is None


@pytest.mark.parametrize("size", ["", "x", "9", "99999999999999999999"])
def test_what_cannot_be_used_is_refused_in_words(
    cast: Cast, root: Client, server: ModelServer, size: str
) -> None:
    provider = connect(cast.workspace, server)
    sent = {"provider": str(provider.pk), "model": "m", "dimensions": size}

    answer = root.post(reverse("embeddings"), sent)

    assert answer.status_code == 422
    assert "Choose one of" in answer.content.decode()
    assert not EmbeddingChoice.objects.exists()


def test_only_owners_choose(cast: Cast, sam: Client, olga: Client, server: ModelServer) -> None:
    provider = connect(cast.workspace, server)
    sent = {"provider": str(provider.pk), "model": "fake-embedding", "dimensions": "512"}

    assert sam.post(reverse("embeddings"), sent).status_code == 404
    assert olga.post(reverse("embeddings"), sent).status_code == 404
    assert not EmbeddingChoice.objects.exists()


def prove(root: Client, server: ModelServer) -> str:
    answer = root.post(reverse("provider_add"), {"base_url": server.base_url, "key": server.key})
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_new_workspace_takes_what_its_host_suggests(
    cast: Cast, root: Client, server: ModelServer, settings: Settings
) -> None:
    settings.EMBEDDING_DEFAULT = ("fake-embedding", 512)
    prove(root, server)

    choice = EmbeddingChoice.objects.get()
    assert choice.provider is not None
    assert (choice.model, choice.dimensions, choice.chosen_by) == ("fake-embedding", 512, cast.root)
    assert "suggests fake-embedding" in root.get(reverse("embeddings")).content.decode()
    root.post(reverse("embeddings"), {"provider": ""})
    prove(root, server)
    assert EmbeddingChoice.objects.get().provider is None  # its own choice wins


def test_what_remembers_already_is_not_moved_by_a_suggestion(
    cast: Cast, root: Client, server: ModelServer, settings: Settings
) -> None:
    settings.EMBEDDING_DEFAULT = ("fake-embedding", 512)
    make_memory(cast, cast.sam)
    prove(root, server)
    assert not EmbeddingChoice.objects.exists()


def test_a_suggestion_that_does_not_work_leaves_this_machine(
    cast: Cast, root: Client, server: ModelServer, settings: Settings
) -> None:
    settings.EMBEDDING_DEFAULT = ("fake-embedding", 333)
    assert "found by this machine" in prove(root, server)
    assert not EmbeddingChoice.objects.exists()


@pytest.mark.parametrize("value", ["model", "model:", ":512", "model:x", "model:½"])
def test_a_suggestion_that_is_none_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("EMBEDDING_DEFAULT", value)
    with pytest.raises(env.BadEnvironment, match="model:512"):
        env.sized("EMBEDDING_DEFAULT")


def test_a_suggestion_is_a_name_and_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_DEFAULT", "vendor/model:v2:512")
    assert env.sized("EMBEDDING_DEFAULT") == ("vendor/model:v2", 512)
    monkeypatch.delenv("EMBEDDING_DEFAULT")
    assert env.sized("EMBEDDING_DEFAULT") is None
