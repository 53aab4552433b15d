"""What somebody asks about themselves, done for the whole workspace, with the words for it.

No model is asked. Which agent answers, and where, is decided by `commands`.
"""

from __future__ import annotations

from django.db.models import Count

from agentapp.identity.models import Person, User
from agentapp.memory.models import Memory
from agentapp.privacy import rules, services
from agentapp.privacy.queries import agents_knowing
from agentapp.privacy.rules import Gone, Held, Wish


def grant(person: Person, wish: Wish, *, by: User | None = None) -> str:
    """Do what somebody asked about themselves; return the words for their eyes only.

    Args:
        by: That person, where they are logged in.
    """
    match wish:
        case Wish.FORGET:
            receipt = services.forget(person=person, agents=list(agents_knowing(person)), by=by)
            return rules.receipt_words(
                [
                    Gone(agent.name, each.memories, each.facts, each.summaries)
                    for agent, each in receipt.gone
                ],
                strangers=receipt.relationships,
                remains=receipt.remains,
            )
        case Wish.DATA:
            return rules.data_words(
                _held(person), is_never=person.never_remember, remains=services.REMAINS
            )
        case Wish.NEVER | Wish.AGAIN:
            on = wish is Wish.NEVER
            changed = services.set_never_remember(person=person, on=on, by=by)
            return rules.never_words(on=on, changed=changed)


def _held(person: Person) -> list[Held]:
    """Return what each agent holds, whatever room it is from: it is this person's own."""
    counts = dict(
        Memory.objects.filter(person=person, withdrawn_at__isnull=True, deleted_at__isnull=True)
        .values_list("agent")
        .annotate(Count("pk"))
    )
    held, left = [], rules.MOST_TOLD
    for agent in agents_knowing(person):
        if agent.pk not in counts:
            continue
        texts: list[str] = []
        if left:  # so at most as many queries as memories are told
            mine = Memory.objects.filter(
                agent=agent, person=person, withdrawn_at__isnull=True, deleted_at__isnull=True
            )
            texts = list(mine.order_by("-pk").values_list("text", flat=True)[:left])
        left -= len(texts)
        held.append(Held(agent.name, counts[agent.pk], texts))
    return held
