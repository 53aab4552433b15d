"""In which order a storm kills, races and poisons, so that every point comes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count, cycle

from tests.faults import roles
from tests.faults.errands import ERRAND_OF
from tests.faults.scale import number
from tests.faults.storm import LIVES, Storm

STOP_EVERY, SEND_EVERY = 3, 2  # answers
RACE_EVERY, POISON_EVERY = 3, 7
GIVEN_EVERY = 3  # answers whose last sender dies while it gives its logins back
UNSENT = 2  # senders that die before the piece has left
BESIDE = 5  # kills of something else, for each answer
KILLS = number("kills", 500)  # with the tests, in two storms; `make faults` goes on for longer
EACH = 10  # at least, at every point

Begin = Callable[..., AbstractContextManager[Storm]]


def ways(start: int = 0) -> Iterator[tuple[str, ...]]:
    """Return for ever which points are died at on an answer's way, so that all of them come up.

    A member's page or an owner's click is cut off now and then, a worker at `LIVES` points, and a
    sender at nearly as many: one of them after the piece has left, since nothing leaves twice.
    """
    of = {
        role: [point for point in roles.WEB_POINTS if roles.ROLE_OF[point] == role]
        for role in roles.ROLES
    }
    leaves = of["send"].index("piece.left")
    before, (*after, given) = of["send"][:leaves], of["send"][leaves:]
    for n in count(start):
        chosen = {of["say"][n % 2], after[n % len(after)], *of["approve"][: n % 2], *of["look"]}
        if n % GIVEN_EVERY == 0:
            chosen.add(given)
        for points, some in ((of["work"], LIVES), (before, UNSENT)):
            chosen |= {points[(n * some + k) % len(points)] for k in range(some)}
        yield tuple(point for point in roles.WEB_POINTS if point in chosen)


def rage(storm: Storm, *, kills: int, each: int = 0, start: int = 0) -> None:
    """Kill on the way of answer after answer and beside it; suspend and deliver now and then.

    Ends when there were so many kills, and at least `each` at every point. Storms that `start`
    at different places kill on different ways.
    """
    beside = cycle(ERRAND_OF)
    for n, points in enumerate(ways(start), start=start):
        if storm.kills.total() + len(storm.survivors) >= kills and (
            storm.survivors or least_hit(storm) >= each
        ):
            return
        storm.kill_at(*points)
        for _ in range(BESIDE):
            storm.kill_beside(next(beside))
        if n % STOP_EVERY == 0:
            storm.stop_amid_sending()
            storm.send_without_right()
        if n % RACE_EVERY == 0:
            storm.race(*reversed(points))  # a sender dies after the piece has left, if it can
        if n % POISON_EVERY == 1:
            storm.poison()
        if n % SEND_EVERY == 0:
            roles.send()


def rage_half(begin: Begin, *, start: int) -> None:
    """Go through one of the two storms that rage beside each other with the tests."""
    with begin(kills=KILLS // 2) as storm:
        rage(storm, kills=KILLS // 2, each=EACH // 2, start=start)
        found = storm.calm()

    assert storm.survivors == []
    assert set(storm.kills) == {*roles.WEB_POINTS, *ERRAND_OF}
    assert least_hit(storm) >= EACH // 2
    assert storm.kills.total() >= KILLS // 2
    assert found.is_clean, found


def least_hit(storm: Storm) -> int:
    """Return how often somebody was killed at the point that was hit least."""
    return min(storm.kills[point] for point in (*roles.WEB_POINTS, *ERRAND_OF))
