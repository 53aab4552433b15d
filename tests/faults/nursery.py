"""A process that is warm and forks victims, so that a kill costs milliseconds.

It holds no thread and no database connection. One JSON object per line goes in, one comes out:

    {"warm": {"user_id": 1, "room_id": 1, "text": "…", "key": "1"}}  ->  {"threads": 1}
    {"role": "work", "point": "lane.claimed", "arguments": {}}  ->  {"pid": 123}
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
from typing import Any

import django

django.setup()

from django.db import connection

from agentapp.engine import worker
from agentapp.foundation import broker, faults
from agentapp.llm.adapters import adapter_for
from agentapp.memory.embeddings import embed
from tests.faults import mutations, roles

TICK_SECONDS = 0.002
THREADS_END_SECONDS = 15.0


def main() -> None:
    """Warm up, then serve until the pipe closes."""
    adapter_for("openai")
    embed(["warm up"])
    mutations.apply(sys.argv[1])
    gc.collect()
    gc.freeze()  # so that victims need not copy what they only look at
    _say({"roles": list(roles.ROLES)})
    for line in sys.stdin:
        command = json.loads(line)
        if "warm" in command:
            answer = _warm(command["warm"])
        elif "wait" in command:
            answer = _wait(**command)
        else:
            answer = {"pid": _fork(**command)}
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


def _fork(*, role: str, point: str, arguments: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        if point:
            faults.arm(point)
        roles.ROLES[role](**arguments)
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends here and says so
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


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
