"""Vectors by the model that a workspace has chosen: this machine's own, or a server's."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from agentapp.foundation.database import released_connection
from agentapp.llm import vectors as servers
from agentapp.llm.errors import BudgetExhausted, ProviderUnavailable
from agentapp.memory.embeddings import (
    EMBEDDING_DIMENSIONS,
    EMBEDDING_MODEL,
    EmbeddingUnavailable,
    Vector,
    embed,
)
from agentapp.memory.models import EmbeddingChoice

KNOWN_FOR_SECONDS = 20.0
ANSWER_SECONDS = 3.0  # somebody waits for the reply that the memories are for
BATCH_SECONDS = 30.0

_known: dict[int, tuple[float, EmbeddingChoice | None]] = {}


@dataclass(frozen=True, slots=True)
class Making:
    """By what vectors are made. `choice` is None for this machine's own model.

    `name` stands beside every vector: those of different models or sizes cannot be compared.
    """

    name: str
    dimensions: int
    choice: EmbeddingChoice | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Something said that memories are looked for by; "" looks for none."""

    workspace_id: int
    agent_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Sought:
    """What to look for: None where there is no vector now, and the name of its model."""

    vector: Vector | None
    model: str


OWN = Making(EMBEDDING_MODEL, EMBEDDING_DIMENSIONS)


def making_for(workspace_id: int) -> Making:
    """Return how a workspace's vectors are made; asks the database every 20 seconds at most.

    A process that knows of a change a little later looks for vectors of the model before, and
    finds what has not been moved yet.
    """
    known = _known.get(workspace_id)
    if known is None or time.monotonic() - known[0] > KNOWN_FOR_SECONDS:
        choice = (
            EmbeddingChoice.objects.filter(workspace_id=workspace_id, provider__isnull=False)
            .select_related("provider")
            .first()
        )
        known = _known[workspace_id] = (time.monotonic(), choice)
    return making_of(known[1])


def making_of(choice: EmbeddingChoice | None) -> Making:
    """Return how vectors are made under a choice."""
    if choice is None or choice.provider is None:
        return OWN
    return Making(f"{choice.model}:{choice.dimensions}", choice.dimensions, choice)


def choice_changed(workspace_id: int) -> None:
    """Let this process look the workspace's choice up again."""
    _known.pop(workspace_id, None)


def embed_by(
    making: Making, texts: Sequence[str], *, agent_id: int | None = None, background: bool = False
) -> list[Vector]:
    """Turn texts into vectors, in their order.

    Calls: this machine's model, or a server through the gateway, outside any transaction.

    Raises:
        EmbeddingUnavailable: There are none now; the message says why.
        OpenTransaction: A transaction is open.
    """
    choice = making.choice
    if choice is None or choice.provider is None:
        with released_connection():
            return embed(texts)
    try:
        return servers.embed(
            provider=choice.provider,
            model=choice.model,
            dimensions=choice.dimensions,
            texts=texts,
            agent_id=agent_id,
            background=background,
            deadline_seconds=BATCH_SECONDS if background else ANSWER_SECONDS,
        )
    except (BudgetExhausted, ProviderUnavailable) as error:
        raise EmbeddingUnavailable(error.message) from error


def embed_asked(asked: Sequence[Asked]) -> list[Sought]:
    """Turn what is said into vectors of each workspace's model, as far as there are any now.

    This machine's model is asked once for all; a server once for each agent.
    """
    found: list[Sought] = [Sought(None, making_for(each.workspace_id).name) for each in asked]
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, each in enumerate(asked):
        if each.text:
            is_own = found[place].model == OWN.name
            groups[(0, 0) if is_own else (each.workspace_id, each.agent_id)].append(place)
    for (workspace_id, agent_id), places in groups.items():
        making = making_for(workspace_id) if workspace_id else OWN
        with suppress(EmbeddingUnavailable):
            texts = [asked[place].text for place in places]
            vectors = embed_by(making, texts, agent_id=agent_id or None)
            for place, vector in zip(places, vectors, strict=True):
                found[place] = Sought(vector, making.name)
    return found
