"""In which order a storm kills, races and poisons, so that every point comes up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle

from tests.faults import roles
from tests.faults.errands import ERRAND_OF
from tests.faults.storm import LIVES, Storm

STOP_EVERY, SEND_EVERY = 3, 2  # answers
RACE_EVERY, POISON_EVERY = 2, 7
BESIDE = 4  # kills of something else, for each answer


def ways() -> Iterator[tuple[str, ...]]:
    """Return for ever which points are died at on an answer's way, so that all of them come up.

    A member's page or an owner's click is cut off now and then, a worker at `LIVES` points, and a
    sender at as many: one of them after the piece has left, since nothing leaves twice.
    """
    of = {
        role: [point for point in roles.WEB_POINTS if roles.ROLE_OF[point] == role]
        for role in roles.ROLES
    }
    leaves = of["send"].index("piece.left")
    before, after = of["send"][:leaves], of["send"][leaves:]
    for n in count():
        chosen = {of["say"][n % 2], after[n % len(after)], *of["approve"][: n % 2], *of["look"]}
        for points, some in ((of["work"], LIVES), (before, LIVES - 1)):
            chosen |= {points[(n * some + k) % len(points)] for k in range(some)}
        yield tuple(point for point in roles.WEB_POINTS if point in chosen)


def rage(storm: Storm, *, kills: int) -> None:
    """Kill on the way of answer after answer and beside it; suspend and deliver now and then."""
    beside = cycle(ERRAND_OF)
    for n, points in enumerate(ways()):
        if storm.kills.total() - storm.more + len(storm.survivors) >= kills:
            return
        storm.kill_at(*points)
        for _ in range(BESIDE):
            storm.kill_beside(next(beside))
        if n % STOP_EVERY == 0:
            storm.stop_amid_sending()
            storm.send_without_right()
        if n % RACE_EVERY == 0:
            storm.race(*points)
        if n % POISON_EVERY == 1:
            storm.poison()
        if n % SEND_EVERY == 0:
            roles.send()
