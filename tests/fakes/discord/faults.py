"""What goes wrong on purpose with requests: so many times, on one route or on all."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fault(enum.Enum):
    """Where in a request it breaks."""

    STATUS = enum.auto()  # it is answered with an error and not acted on
    CUT_BEFORE = enum.auto()  # the connection breaks before anything is done
    CUT_AMID = enum.auto()  # it is done, and the connection breaks in the middle of the answer
    CUT_AFTER = enum.auto()  # it is done, and the connection breaks before the answer
    HANG = enum.auto()  # it is never answered


@dataclass
class Trouble:
    """One fault that waits for requests."""

    fault: Fault
    route: str | None  # None hits every route
    times: int
    status: int = 500


class Troubles:
    """The faults that wait, oldest first."""

    def __init__(self) -> None:
        self.outage: int | None = None  # the status that everything is answered with
        self._waiting: list[Trouble] = []

    def add(self, trouble: Trouble) -> None:
        self._waiting.append(trouble)

    def take(self, route: str) -> Trouble | None:
        """Return what happens to this request, and count it."""
        if self.outage is not None:
            return Trouble(Fault.STATUS, None, 1, self.outage)
        for trouble in self._waiting:
            if trouble.route in {None, route}:
                trouble.times -= 1
                if trouble.times == 0:
                    self._waiting.remove(trouble)
                return trouble
        return None
