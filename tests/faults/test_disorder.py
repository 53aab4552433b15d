"""Everything arrives late, twice and in the wrong order, from several logins at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from agentapp.conversation.models import Message, Reaction
from agentapp.foundation.envelope import Place
from agentapp.intake.models import Lane
from tests.agentapp.intake.said import deletion, edit, incoming, reaction
from tests.agentapp.intake.test_permutations import at, take_in
from tests.cast import Cast

MESSAGES = 150
ROOMS = 3
LOGINS = 3  # that are shown the same
TWICE = 0.3  # of what each of them is shown
WINDOW = 12  # how far something may be out of its order


def history(cast: Cast, rng: random.Random) -> Iterator[object]:
    """Say what happens, in the platform's own order: messages, edits, reactions, deletions."""
    for n in range(MESSAGES):
        where = {"place": Place(f"!room{n % ROOMS}:example.org"), "external_id": f"$m{n}"}
        yield incoming(cast, f"word {n}", sent_at=at(10 * n), **where)
        if rng.random() < 0.4:
            yield edit(cast, f"word {n}, first edit", changed_at=at(10 * n + 1), **where)
        if rng.random() < 0.3:
            yield edit(cast, f"word {n}, last edit", changed_at=at(10 * n + 2), **where)
        if rng.random() < 0.3:
            place = {"place": where["place"], "message_external_id": where["external_id"]}
            yield reaction(cast, changed_at=at(10 * n + 3), **place)
            if rng.random() < 0.5:
                yield reaction(cast, present=False, changed_at=at(10 * n + 4), **place)
        if rng.random() < 0.1:
            yield deletion(cast, changed_at=at(10 * n + 5), **where)


def disordered(events: list[object], rng: random.Random) -> list[object]:
    """Return what one login is shown: some of it twice, none of it far from its place."""
    placed = [(n + rng.uniform(0, WINDOW), event) for n, event in enumerate(events)]
    placed += [(at_ + rng.uniform(0, WINDOW), one) for at_, one in placed if rng.random() < TWICE]
    return [event for _, event in sorted(placed, key=lambda pair: pair[0])]


def take_all_in(shown: list[object]) -> None:
    for event in shown:
        take_in(event)
    connection.close()


def state() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    messages = Message.objects.filter(external_id__startswith="$m").order_by("external_id")
    reactions = Reaction.objects.order_by("message__external_id", "emoji")
    return (
        list(messages.values_list("external_id", "text", "edited_at", "deleted_at", "is_known")),
        list(reactions.values_list("message__external_id", "emoji", "is_present", "changed_at")),
    )


def test_the_record_is_the_same_as_if_all_had_come_once_and_in_order(live_cast: Cast) -> None:
    rng = random.Random(30)  # noqa: S311 - it only mixes
    events = list(history(live_cast, rng))
    with ThreadPoolExecutor(LOGINS) as logins:
        list(logins.map(take_all_in, [disordered(events, rng) for _ in range(LOGINS)]))
    mixed = state()
    Lane.objects.all().delete()
    Message.objects.all().delete()
    for event in events:
        take_in(event)

    assert len(mixed[0]) == MESSAGES
    assert mixed == state()
