"""A process that is warm and forks victims, so that a kill costs milliseconds.

It holds no thread and no database connection. The clocks of most victims are wrong, and some jump
while they live: only the database's counts. One JSON object per line goes in, one comes out:

    {"warm": {"user_id": 1, "room_id": 1, "text": "…", "key": "1"}}  ->  {"threads": 1}
    {"role": "work", "point": "lane.claimed", "mutation": "", "arguments": {}}  ->  {"pid": 123}
    {"wait": 123, "seconds": 20}                ->  {"killed": true, "failed": false}
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from itertools import count, cycle
from typing import Any

import django

django.setup()

from django.db import connection
from django.utils import timezone

from agentapp.engine import worker
from agentapp.foundation import broker, faults
from agentapp.llm.adapters import adapter_for
from agentapp.memory.embeddings import embed
from tests.faults import mutations, roles

TICK_SECONDS = 0.002
HOUR, DAY = 3_600.0, 86_400.0
# How far the clock of a victim is off when it begins, and after it was looked at a few times.
CLOCKS = ((0.0, 0.0), (HOUR, HOUR), (-DAY, -DAY), (0.0, DAY), (HOUR, -HOUR), (DAY, 0.0))
LOOKS = 5
LAZY = {"serve_discord": "bots.discord.client"}
THREADS_END_SECONDS = 15.0


def main() -> None:
    """Warm up, then serve until the pipe closes."""
    adapter_for("openai")
    embed(["warm up"])
    gc.collect()
    gc.freeze()  # so that victims need not copy what they only look at
    _say({"roles": list(roles.ROLES)})
    clocks = cycle(CLOCKS)
    for line in sys.stdin:
        command = json.loads(line)
        if "warm" in command:
            answer = _warm(command["warm"])
        elif "wait" in command:
            answer = _wait(**command)
        else:
            answer = {"pid": _fork(next(clocks), **command)}
        _say(answer)


def _warm(said: dict[str, Any]) -> dict[str, int]:
    """Do everything once, so that victims find statements compiled; keep no thread of it."""
    roles.say(**said)
    roles.work()
    roles.approve()
    roles.send()
    worker.crew().shut_down()
    worker.crew.cache_clear()
    connection.close()
    connection.close_pool()
    broker.forget()
    give_up = time.monotonic() + THREADS_END_SECONDS
    while threading.active_count() > 1 and time.monotonic() < give_up:
        time.sleep(TICK_SECONDS)
    return {"threads": threading.active_count()}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _fork(
    off: tuple[float, float], /, *, role: str, point: str, mutation: str, arguments: dict[str, Any]
) -> int:
    if role in LAZY:
        import_module(LAZY[role])  # once here, instead of in every victim
    pid = os.fork()
    if pid:
        return pid
    try:
        _set_clock(*off)
        mutations.apply(mutation)
        if point:
            faults.arm(point)
        roles.ROLES[role](**arguments)
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends here and says so
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _set_clock(first: float, later: float) -> None:
    """Let this process's clock be wrong by so many seconds, and otherwise wrong soon after."""
    right, looks = time.time, count()

    def wrong() -> float:
        return right() + (first if next(looks) < LOOKS else later)

    time.time = wrong
    timezone.now = lambda: datetime.fromtimestamp(wrong(), UTC)  # noqa: TID251 - a wrong one


def _wait(*, wait: int, seconds: float) -> dict[str, Any]:
    """Wait for a victim; one that takes too long is killed and counts as failed."""
    give_up = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(wait, os.WNOHANG)
        if pid:
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            return {"killed": killed, "failed": not killed and status != 0}
        if time.monotonic() > give_up:
            os.kill(wait, signal.SIGKILL)
            os.waitpid(wait, 0)
            return {"killed": False, "failed": True}
        time.sleep(TICK_SECONDS)


if __name__ == "__main__":
    main()
