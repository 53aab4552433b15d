"""Message ids become visible in their order inside a room, however many write at once."""

from __future__ import annotations

import threading

from django.db.models import Max

from agentapp.conversation.models import Message
from agentapp.foundation.database import fresh_connection
from agentapp.intake import services as intake
from agentapp.intake.models import Lane
from tests.agentapp.intake.said import in_room, incoming
from tests.cast import Cast
from tests.fakes.connecting import in_threads

WRITERS, EACH = 6, 12


def test_a_reader_never_sees_a_gap_filled_later(live_cast: Cast) -> None:
    stop = threading.Event()
    late: list[int] = []

    def watch() -> None:
        seen: set[int] = set()
        highest = 0
        with fresh_connection():
            while not stop.is_set():
                ids = set(Message.objects.values_list("id", flat=True))
                late.extend(each for each in ids - seen if each < highest)
                seen |= ids
                highest = max(ids, default=0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    where = in_room(live_cast.lounge)
    done = in_threads(
        WRITERS,
        lambda writer: [
            intake.accept(incoming(live_cast, external_id=f"${writer}-{n}", **where))
            for n in range(EACH)
        ],
    )
    stop.set()
    watcher.join()
    assert [error for error in done if isinstance(error, Exception)] == []
    assert late == []
    assert Message.objects.count() == WRITERS * EACH
    newest = Message.objects.aggregate(newest=Max("id"))["newest"]
    assert set(Lane.objects.values_list("wanted_through", flat=True)) == {newest}


def test_one_message_from_many_logins_at_once_is_written_once(live_cast: Cast) -> None:
    where = in_room(live_cast.lounge)
    found = in_threads(8, lambda _: intake.accept(incoming(live_cast, **where)))
    assert sum(accepted.is_new for accepted in found) == 1
    assert len({accepted.message_id for accepted in found}) == 1


def test_a_new_room_and_a_new_person_seen_by_many_at_once_are_made_once(live_cast: Cast) -> None:
    found = in_threads(8, lambda n: intake.accept(incoming(live_cast, external_id=f"${n}")))
    assert len({accepted.message_id for accepted in found}) == 8
    assert Message.objects.values("room", "author").distinct().count() == 1
