"""Choosing under Settings who makes the vectors of memories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

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
