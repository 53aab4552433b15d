"""Whether a model server gets the pictures that people send."""

from __future__ import annotations

import uuid

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation.errors import NotFound, Refused
from agentapp.identity import policy
from agentapp.identity.models import User, Workspace
from agentapp.identity.policy import Verb
from agentapp.llm.models import Provider


@transaction.atomic
def set_pictures(
    *, workspace: Workspace, provider_id: uuid.UUID, reads: bool, by: User
) -> Provider:
    """Give a model server pictures from now on, or only their names.

    Writes: Provider, Event `provider.pictures`.

    Raises:
        NotFound: There is no such server here. Refused: The demo's rehearsal reads nothing.
    """
    policy.require(by, Verb.MANAGE, workspace)
    if workspace.is_demo:
        raise Refused("The demo keeps its rehearsal model.")
    row = Provider.objects.select_for_update().filter(workspace=workspace, pk=provider_id).first()
    if row is None:
        raise NotFound
    row.pictures = Provider.Pictures.YES if reads else Provider.Pictures.NO
    row.save(update_fields=["pictures"])
    events.record(
        type="provider.pictures",
        subject_kind="provider",
        subject_id=row.pk,
        workspace_id=workspace.pk,
        actor_id=by.pk,
        payload={"name": row.name, "reads": reads},
    )
    return row
