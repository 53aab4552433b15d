"""A press on a card: who pressed is asked again, and what was seen is what counts."""

from __future__ import annotations

from dataclasses import dataclass

from agentapp.cards.models import Card, CardLink
from agentapp.drafts.models import Draft
from agentapp.drafts.services import approve, reject
from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity.models import User
from agentapp.identity.policy import Verb

SEND, SKIP = "send", "skip"
NOT_YOURS = "Only the owner of this agent can decide that, and this account is not linked to them."
CHANGED = "It changed meanwhile. The card shows the new words in a moment."


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed, as its platform says it."""

    platform: str
    external_id: str
    draft_id: int
    version: int
    act: str


def decide(press: Press) -> str:
    """Carry a press out; return what to say when nothing came of it, "" when it was done.

    The platform proves who pressed, not that they still own the agent, so that is asked here each
    time. Writes and announces as `approve` and `reject` do.
    """
    user = _owner(press)
    if user is None:
        return NOT_YOURS
    draft = policy.visible(Draft, user).select_related("agent").filter(pk=press.draft_id).first()
    card = Card.objects.filter(draft=press.draft_id, external_id=press.external_id).first()
    if draft is None or card is None:
        return NOT_YOURS
    if press.version not in {card.version, draft.version} or draft.version != press.version:
        return CHANGED
    try:
        policy.require(user, Verb.APPROVE, draft)
        if press.act == SEND:
            approve(
                draft_id=draft.pk,
                version=press.version,
                content_hash=card.content_hash,
                by=user,
                via="card",
            )
        else:
            reject(draft_id=draft.pk, by=user)
    except AgentError as error:
        return error.message
    return ""


def _owner(press: Press) -> User | None:
    link = (
        CardLink.objects.select_related("user")
        .filter(account__platform=press.platform, external_id=press.external_id)
        .first()
    )
    return link.user if link is not None and link.user.is_active else None
