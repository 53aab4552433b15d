"""Takes in what a homeserver handed to an application service, once for all its logins."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from django.db import transaction

from agentapp.appservices.parcels import note_taken
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Account
from agentapp.intake.batches import bounded, locked_rooms, take_in
from agentapp.intake.seen import Batch


@transaction.atomic
def accept_parcels(
    batches: Sequence[Batch], *, service_id: uuid.UUID, fence: int, numbers: Collection[int]
) -> None:
    """Take in all that some parcels hold, and note them as taken, in one transaction.

    Args:
        batches: In the order in which it happened. Each speaks for one login of the service; what
            was said in a room is in one of them, whoever else of its logins is there.

    Writes: as `accept_batch`, with the parcels in the cursor's place.

    Raises:
        ServiceLost: Another process holds the service. Nothing is written.
    """
    note_taken(service_id=service_id, fence=fence, numbers=numbers)
    kept = bounded(batches)
    rooms = locked_rooms(kept)
    for batch in kept:
        take_in(batch, rooms)
    spoke = {batch.account_id for batch in batches}
    Account.objects.filter(pk__in=spoke).update(heard_at=GreenroomNow())
    faults.passing("batch.written")
