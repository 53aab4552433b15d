"""Named places at which a test ends this process, to prove that nothing depends on going on.

Nothing outside the tests arms one: neither a setting nor the environment can.
"""

from __future__ import annotations

import os
import signal

# In the order in which a message passes them; then what members, owners and clocks do beside it.
POINTS = (
    "batch.written",
    "batch.committed",
    "intake.written",
    "intake.committed",
    "lane.claimed",
    "decision.written",
    "turn.begun",
    "prompt.assembled",
    "call.opened",
    "call.streaming",
    "call.answered",
    "call.settled",
    "memory.written",
    "draft.written",
    "turn.ended",
    "approval.written",
    "lease.taken",
    "claim.written",
    "piece.claimed",
    "piece.leaving",
    "keys.written",
    "keys.sent",
    "ciphertext.ready",
    "piece.left",
    "piece.marked",
    "piece.settled",
    "lease.given",
    "lost.written",
    "unknown.leased",
    "unknown.settled",
    "file.fetched",
    "file.examined",
    "file.written",
    "file.uploading",
    "file.uploaded",
    "edit.written",
    "rejection.written",
    "undo.written",
    "retraction.written",
    "stop.written",
    "stop.committed",
    "lift.written",
    "stop.ended",
    "expiry.written",
    "loss.written",
    "talk.claimed",
    "talk.written",
    "vector.written",
)

_armed = ""


def arm(point: str) -> None:
    """End this process, as kill -9 does, when it next passes a point.

    Raises:
        ValueError: There is no such point.
    """
    global _armed  # noqa: PLW0603 - what a process dies of is the process's own
    if point not in POINTS:
        raise ValueError(point)
    _armed = point


def passing(point: str) -> None:
    """Say that the process has come here; where that point is armed it goes no further."""
    if point == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
