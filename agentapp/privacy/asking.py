"""What somebody asked about themselves in a room: done once, answered by one agent, in private.

No model is asked. All agents of a workspace are one group: however many of them read the message,
one of them answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.rules import stored_id
from agentapp.drafts.services import Wish as Act
from agentapp.drafts.services import propose
from agentapp.events.models import Event
from agentapp.events.services import record
from agentapp.foundation.errors import AgentError
from agentapp.foundation.secrets import digest
from agentapp.identity.models import Account, Identity, Participant, Person, Room, User, Workspace
from agentapp.identity.services.people import ensure_identity
from agentapp.memory.models import Memory
from agentapp.moderation import rooms as moderation
from agentapp.moderation.orders import DIGEST, Order
from agentapp.moderation.rooms import ORDER
from agentapp.presence.models import Membership
from agentapp.privacy import rules, services
from agentapp.privacy.queries import agents_knowing
from agentapp.privacy.rules import Gone, Held, Wish

_PRIVATE = {Wish.FORGET, Wish.DATA}
_PEOPLE = {Identity.Kind.HUMAN, Identity.Kind.SCRIPTED}


def obey(order: Order) -> bool:
    """Carry out what was ordered or asked in a room; see `moderation.rooms.obey` for orders.

    What people ask about themselves is done for the whole workspace, once however often and by
    however many logins it comes. Writes: what the wish needs, a Draft (one answer), Event
    `privacy.asked`. Asks no model.

    Returns:
        Whether it was done now.
    """
    if order.act not in list(Wish):
        return moderation.obey(order)
    with transaction.atomic():
        return _granted(order, Wish(order.act))


def _granted(order: Order, wish: Wish) -> bool:
    handle = ensure_identity(
        workspace=Workspace.objects.get(pk=order.workspace_id),
        platform=order.platform,
        external_id=stored_id(order.by.external_id),
        name=order.by.name,
    )
    if handle.person_id is None or handle.kind not in _PEOPLE:
        return False  # a bot or an agent has nothing to ask for
    # Logins that read the same message wait here for each other.
    person = Person.objects.select_for_update(no_key=True).get(pk=handle.person_id)
    key = digest(f"{order.platform}:{order.external_id}")[:DIGEST]
    if Event.objects.filter(subject_kind=ORDER, subject_id=key).exists():
        return False
    words = grant(person, wish)
    room = Room.objects.filter(
        workspace_id=order.workspace_id,
        platform=order.platform,
        external_id=stored_id(order.room_external_id),
    ).first()
    record(
        type="privacy.asked",
        subject_kind=ORDER,
        subject_id=key,
        workspace_id=order.workspace_id,
        room_id=room.pk if room else None,
        payload={"wish": str(wish), "person": person.pk},
    )
    if room is not None:
        _answer(order, wish, room=room, handle=handle, words=words, key=key)
    return True


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


def _answer(
    order: Order, wish: Wish, *, room: Room, handle: Identity, words: str, key: str
) -> None:
    """Let one agent answer: what only the person may read in their direct room, if there is one."""
    place = room
    agents = _by_turn(order, room)
    if wish in _PRIVATE and not _alone(handle).filter(pk=room.pk).exists():
        direct = _direct_room(room, handle, agents)
        place, agents = direct if direct else (room, agents)
        words = words if direct else rules.public_words(wish)
    for agent_id in agents:
        try:
            with transaction.atomic():
                propose(
                    Act(
                        turn=None,
                        agent_id=agent_id,
                        kind="message",
                        room_id=place.pk,
                        text=words,
                        visibility="private",
                        metadata={"notice": True, "code": "privacy"},
                        why="Somebody asked about themselves.",
                        key=f"privacy:{key}",
                    )
                )
        except AgentError:
            continue  # it may not talk there; another one may
        return


def _by_turn(order: Order, room: Room) -> list[int]:
    """Return the agents that may talk in a room: named, answered, spoke last, then the oldest."""
    here = list(
        Membership.objects.filter(room=room, state=Membership.State.ACTIVE, left_at__isnull=True)
        .order_by("agent_id")
        .values_list("agent_id", flat=True)
    )
    named = Account.objects.filter(
        workspace_id=room.workspace_id, platform=room.platform, external_id__in=order.mentions
    ).values_list("agent_id", flat=True)
    said = Message.objects.filter(room=room, author__agent__in=here)
    answered = said.filter(external_id=stored_id(order.reply_to)) if order.reply_to else said.none()
    first = [
        *named,
        *answered.values_list("author__agent", flat=True),
        *said.order_by("-pk").values_list("author__agent", flat=True)[:1],
    ]
    return [pk for pk in dict.fromkeys([*first, *here]) if pk in here]


def _direct_room(
    room: Room, handle: Identity, agents: Sequence[int]
) -> tuple[Room, list[int]] | None:
    """Return where this person and an agent are alone, with that agent; the first in turn wins."""
    rows = Membership.objects.filter(
        agent__in=agents,
        state=Membership.State.ACTIVE,
        left_at__isnull=True,
        room__in=_alone(handle).filter(platform=room.platform, workspace_id=room.workspace_id),
    ).select_related("room")
    found = sorted(rows, key=lambda row: (agents.index(row.agent_id), -row.pk))
    return (found[0].room, [found[0].agent_id]) if found else None


def _alone(handle: Identity) -> QuerySet[Room]:
    """Return direct rooms in which this person is, and nobody else but agents ever was."""
    others = Participant.objects.filter(room=OuterRef("pk")).exclude(
        Q(identity=handle)
        | Q(identity__person=handle.person_id)
        | Q(identity__kind=Identity.Kind.AGENT)
    )
    return Room.objects.filter(
        ~Exists(others),
        kind=Room.Kind.DIRECT,
        gone_at__isnull=True,
        encrypted=False,
        participants__identity=handle,
        participants__left_at__isnull=True,
    )
