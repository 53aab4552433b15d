"""Gives memories the vectors they lack, and moves them to another model when one is chosen."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Q

from agentapp.foundation.clock import GreenroomNow
from agentapp.memory import queries, services, vectors
from agentapp.memory.embeddings import EmbeddingUnavailable
from agentapp.memory.models import EmbeddingChoice
from agentapp.memory.queries import Pending
from agentapp.memory.vectors import Making

logger = logging.getLogger(__name__)

PENDING_LIMIT = 64
MOVING_SECONDS = 20.0  # of one run


def complete_pending(*, limit: int = PENDING_LIMIT) -> int:
    """Embed the oldest memories that have no vector; harmless when run twice at once.

    Reads: Memory. Calls: the workspaces' embedding models, outside any transaction.
    Writes: Memory (its vector).

    Returns:
        How many memories can be recalled by meaning now that could not before; 0 while there is
        no model.
    """
    by_workspace: dict[int, list[Pending]] = defaultdict(list)
    for each in queries.list_pending(limit=limit):
        by_workspace[each.workspace_id].append(each)
    return sum(
        _embedded(vectors.making_for(workspace_id), pending)
        for workspace_id, pending in by_workspace.items()
    )


def move_all(*, seconds: float = MOVING_SECONDS) -> int:
    """Give memories of workspaces that changed their model new vectors, for some seconds.

    Recall finds what is not moved yet by its words. Harmless when run twice at once; goes on where
    it was left. Reads: EmbeddingChoice, Memory. Calls: the embedding models, from the background's
    share of the budget. Writes: Memory, EmbeddingChoice (when all have moved).

    Returns:
        How many memories were moved.
    """
    _return_from_lost_servers()
    until = time.monotonic() + seconds
    moved = 0
    for choice in EmbeddingChoice.objects.filter(moved_at=None).select_related("provider"):
        making = vectors.making_of(choice)
        while time.monotonic() < until:
            stale = queries.list_stale(
                workspace_id=choice.workspace_id, model=making.name, limit=PENDING_LIMIT
            )
            if not stale:
                EmbeddingChoice.objects.filter(
                    pk=choice.pk, model=choice.model, dimensions=choice.dimensions
                ).update(moved_at=GreenroomNow())
                break
            done = _embedded(making, stale)
            moved += done
            if not done:
                break
    return moved


def progress(workspace_id: int) -> tuple[int, int]:
    """Return how many of a workspace's memories have vectors of its model, and of how many."""
    making = vectors.making_for(workspace_id)
    return queries.count_moved(workspace_id=workspace_id, model=making.name)


def _return_from_lost_servers() -> None:
    """A workspace whose server was removed uses this machine's model again."""
    lost = EmbeddingChoice.objects.filter(~Q(model=""), provider__isnull=True)
    lost.update(model="", dimensions=vectors.OWN.dimensions, moved_at=None)


def _embedded(making: Making, pending: Sequence[Pending]) -> int:
    try:
        found = vectors.embed_by(making, [memory.text for memory in pending], background=True)
    except EmbeddingUnavailable as error:
        logger.warning("%d memories still wait for their vectors: %s", len(pending), error)
        return 0
    return sum(
        services.set_vector(memory_id=memory.id, text=memory.text, vector=vector, making=making)
        for memory, vector in zip(pending, found, strict=True)
    )
