"""Vectors by a server of one's own choice, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentapp.foundation.errors import Invalid
from agentapp.identity.models import Person
from agentapp.llm.models import LLMCall, Provider, Reservation
from agentapp.memory import indexing, vectors
from agentapp.memory.embeddings import EMBEDDING_MODEL
from agentapp.memory.models import EmbeddingChoice, Memory
from agentapp.memory.recall import Recall, recall
from agentapp.memory.services.choosing import choose_embeddings
from agentapp.memory.vectors import Asked, embed_asked
from tests.cast import Cast
from tests.dashboard.remembering import make_memory
from tests.fakes.connecting import connect, give_budget, set_rate
from tests.fakes.model_server import ModelServer

MODEL = "fake-embedding"
NAME = f"{MODEL}:256"


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def provider(cast: Cast, running: ModelServer) -> Provider:
    running.requests = []
    set_rate(MODEL, 3, 0)
    return connect(cast.workspace, running)


def choose(cast: Cast, provider: Provider | None, **changes: object) -> EmbeddingChoice:
    values: dict[str, object] = {"model": MODEL, "dimensions": 256, "by": cast.root}
    return choose_embeddings(workspace=cast.workspace, provider=provider, **values | changes)


def found(cast: Cast, said: str, *, by_words: bool = False) -> list[str]:
    (sought,) = embed_asked([Asked(cast.workspace.pk, cast.ada.pk, said)])
    person = Person.objects.get(identities__user=cast.sam)
    heard = recall(
        Recall(
            agent_id=cast.ada.pk,
            person_id=person.pk,
            room_id=cast.lounge.pk,
            vector=None if by_words else sought.vector,
            said=said if by_words else "",
            model=sought.model,
        )
    )
    return [each.text for each in heard]


def test_memories_move_to_the_chosen_model_and_are_found_by_words_until_then(
    cast: Cast, provider: Provider
) -> None:
    make_memory(cast, cast.sam, "cats are what I like")
    assert indexing.complete_pending() == 1
    assert Memory.objects.get().embedding_model == EMBEDDING_MODEL

    choose(cast, provider)

    assert indexing.progress(cast.workspace.pk) == (0, 1)
    assert found(cast, "cats") == []
    assert found(cast, "cats", by_words=True) == ["cats are what I like"]
    assert indexing.move_all() == 1
    assert indexing.progress(cast.workspace.pk) == (1, 1)
    memory = Memory.objects.get()
    assert (memory.embedding_model, memory.embedding_dimensions) == (NAME, 256)
    assert found(cast, "cats") == ["cats are what I like"]
    assert indexing.move_all() == 0
    assert EmbeddingChoice.objects.get().moved_at is not None


def test_new_memories_get_vectors_of_the_chosen_model(cast: Cast, provider: Provider) -> None:
    choose(cast, provider)
    make_memory(cast, cast.sam, "dogs are what I like")

    assert indexing.complete_pending() == 1

    assert Memory.objects.get().embedding_model == NAME


def test_vectors_of_a_server_are_paid_for(cast: Cast, provider: Provider) -> None:
    choose(cast, provider)
    make_memory(cast, cast.sam, "dogs are what I like")
    indexing.complete_pending()

    proof, batch = LLMCall.objects.order_by("pk")

    assert (proof.purpose, proof.model, proof.is_background) == ("embedding", MODEL, False)
    assert (batch.tokens_in, batch.cost_micros, batch.is_background) == (5, 15, True)
    assert {row.state for row in Reservation.objects.all()} == {"settled"}


def test_without_money_or_server_memories_wait(
    cast: Cast, provider: Provider, running: ModelServer
) -> None:
    choose(cast, provider)
    make_memory(cast, cast.sam)
    Provider.objects.update(base_url="http://127.0.0.1:9/v1")
    vectors.choice_changed(cast.workspace.pk)
    assert indexing.complete_pending() == 0
    assert LLMCall.objects.latest("pk").status == "failed"

    Provider.objects.update(base_url=running.base_url)
    vectors.choice_changed(cast.workspace.pk)
    give_budget(cast.workspace, 1)
    assert indexing.complete_pending() == 0
    assert found(cast, "cats", by_words=True) == ["I have two cats."]


def test_a_workspace_whose_server_is_removed_returns_to_this_machine(
    cast: Cast, provider: Provider
) -> None:
    choose(cast, provider)
    make_memory(cast, cast.sam)
    indexing.complete_pending()
    indexing.move_all()
    provider.delete()
    vectors.choice_changed(cast.workspace.pk)

    assert indexing.move_all() == 1

    assert Memory.objects.get().embedding_model == EMBEDDING_MODEL
    assert found(cast, "my cats") == ["I have two cats."]


@pytest.mark.parametrize(
    "changes",
    [{"dimensions": 7}, {"dimensions": 2_000}, {"model": " \x00"}, {"model": "x" * 10}],
)
def test_nothing_is_chosen_that_makes_no_vectors(
    cast: Cast, provider: Provider, changes: dict[str, object]
) -> None:
    if "model" in changes and str(changes["model"]).strip(" \x00"):
        Provider.objects.update(key_sealed="")
        provider.refresh_from_db()

    with pytest.raises(Invalid):
        choose(cast, provider, **changes)

    assert not EmbeddingChoice.objects.exists()


def test_another_workspaces_server_cannot_be_chosen(cast: Cast, running: ModelServer) -> None:
    with pytest.raises(Invalid):
        choose(cast, connect(cast.elsewhere, running))
