"""One message per room over N rooms, from a member's words to the published reply.

Real worker and bots processes, embedded Postgres with fsync on, embeddings and screening on; only
the model server is a stand-in that answers at once. Beside it, in the same run, the floor: the
openai library and two committed inserts per message, which is the least any host has to do.

    python -m benchmarks.pipeline --rooms 400 --workers 2

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from agentapp.management.stack import commands
from benchmarks.measuring import Stages, percentile, postgres_processes, processor_seconds
from benchmarks.processes import MODEL_PORT, process, stage
from benchmarks.rooms import (
    AGENTS,
    latencies,
    published,
    say,
    say_at_once,
    seed,
    wait_for_replies,
    warm,
)
from tests.fakes.model_server import KEY

if TYPE_CHECKING:
    from agentapp.identity.models import Room, User

FLOOR_THREADS = 64
ALONE = 15  # messages sent one by one


@dataclass(frozen=True)
class Measured:
    """A run over all rooms. Latencies in milliseconds, processor time per reply."""

    replies_per_second: float
    latencies: list[float]
    cpu_ms: dict[str, float]


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    given = parser.parse_args()
    rooms: int = given.rooms
    with stage():
        floor = _floor(rooms)
        places = seed(rooms + ALONE)
        whole = _whole(places[:rooms], workers=given.workers)
        alone = _alone(places[rooms:])
        _stages(seed(AGENTS))  # the first answers of a process load what all later ones use
        stages = _stages(seed(max(rooms // 4, 10)))
    _report(given, floor, whole, alone, stages)


def _whole(places: list[tuple[User, Room]], *, workers: int) -> Measured:
    with ExitStack() as stack:
        crew = [stack.enter_context(process(*commands.WORKER)) for _ in range(workers)]
        bots = stack.enter_context(process(*commands.BOTS))
        warm(places)
        servers = {"worker": crew, "bots": [bots], "postgres": postgres_processes(_dsn())}
        before = {name: processor_seconds(pids) for name, pids in servers.items()}
        intake = time.process_time()
        begun = time.monotonic()
        say_at_once(places, "Ada, what grows well in the shade of a tall tree?")
        intake = time.process_time() - intake
        wait_for_replies(len(places) * 2)
        seconds = time.monotonic() - begun
        spent = {name: processor_seconds(pids) - before[name] for name, pids in servers.items()}
    cpu = {"intake": intake, **spent}
    return Measured(
        replies_per_second=len(places) / seconds,
        latencies=latencies(newest=len(places)),
        cpu_ms={name: 1000 * value / len(places) for name, value in cpu.items()},
    )


def _alone(places: list[tuple[User, Room]]) -> list[float]:
    """Say one message at a time to an idle host."""
    with process(*commands.WORKER), process(*commands.BOTS):
        warm(places)
        done = published()
        for n, (user, room) in enumerate(places, start=1):
            say(user, room, "Ada, and in the sun?")
            wait_for_replies(done + n)
    return latencies(newest=len(places))


def _stages(places: list[tuple[User, Room]]) -> dict[str, float]:
    """Run the same work in this process and count where its threads spend processor time."""
    from agentapp.drafts import publication
    from agentapp.engine import act, assemble, worker
    from agentapp.identity.models import Account
    from agentapp.memory import embeddings
    from bots.local import client
    from tests.cast import hold_logins

    stages = Stages()
    stages.watch(worker, "decide_room", "decide")
    stages.watch(worker, "assemble", "assemble (with recall)")
    stages.watch(worker, "think", "think (gateway, budget, SDK)")
    stages.watch(act, "speak", "act (screen, draft, outbox)")
    stages.watch(act, "remember", "remember (with embedding)")
    for module in (embeddings, assemble):
        if hasattr(module, "embed"):
            stages.watch(module, "embed", "of which embedding")
    begun = time.thread_time()
    for user, room in places:
        say(user, room, "Ada, my garden faces north. What grows there?")
    stages.seconds["intake"] = time.thread_time() - begun
    while worker.work_lanes():
        pass
    accounts = list(Account.objects.values_list("pk", flat=True))
    hold_logins("bench")
    begun = time.thread_time()
    while pieces := publication.claim_due(holder="bench", accounts=accounts):
        claimed = time.thread_time()
        stages.seconds["claim (gates, lease)"] += claimed - begun
        for piece in pieces:
            receipt = client._put(piece, name="Ada")
            publication.mark_sent(
                outbound_id=piece.outbound_id,
                holder="bench",
                external_id=receipt.external_id,
                message_id=receipt.message_id,
            )
        begun = time.thread_time()
        stages.seconds["send and settle"] += begun - claimed
    return {name: 1000 * value / len(places) for name, value in stages.seconds.items()}


def _floor(messages: int) -> Measured:
    """Answer messages with nothing but the SDK and two inserts, 64 at a time."""
    import openai

    client = openai.OpenAI(api_key=KEY, base_url=f"http://127.0.0.1:{MODEL_PORT}/v1", max_retries=0)
    dsn = _dsn()
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE floor (id bigserial, text text)")
        connection.execute("GRANT ALL ON floor, floor_id_seq TO greenroom_app")
    local = threading.local()
    waits: list[float] = []

    def answer(_: int) -> None:
        begun = time.monotonic()
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(dsn, autocommit=True)
        local.connection.execute("INSERT INTO floor (text) VALUES ('question')")
        stream = client.chat.completions.create(
            model="fake-chat",
            messages=[{"role": "user", "content": "What grows well in the shade?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        words = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        local.connection.execute("INSERT INTO floor (text) VALUES (%s)", [words])
        waits.append(1000 * (time.monotonic() - begun))

    with ThreadPoolExecutor(FLOOR_THREADS) as pool:
        list(pool.map(answer, range(FLOOR_THREADS)))  # connections and client are warm after it
        waits.clear()
        cpu, begun = time.process_time(), time.monotonic()
        list(pool.map(answer, range(messages)))
        seconds = time.monotonic() - begun
    cpu = time.process_time() - cpu
    return Measured(messages / seconds, waits, {"all": 1000 * cpu / messages})


def _dsn() -> str:
    return os.environ["DATABASE_URL"]


def _report(
    given: argparse.Namespace,
    floor: Measured,
    whole: Measured,
    alone: list[float],
    stages: dict[str, float],
) -> None:
    load = os.getloadavg()[0]
    rooms, workers = given.rooms, given.workers
    print(f"{rooms} rooms, one message each, all at once; {workers} workers; load {load:.1f}\n")
    print(f"{'':24}{'replies/s':>10}{'CPU ms/reply':>14}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for name, run in (("Greenroom", whole), ("floor (SDK + 2 inserts)", floor)):
        figures = "".join(f"{percentile(run.latencies, s):9.0f}" for s in (0.5, 0.95, 0.99))
        cpu = sum(run.cpu_ms.values())
        print(f"{name:24}{run.replies_per_second:10.1f}{cpu:14.1f}{figures}")
    one = "".join(f"{percentile(alone, s):9.0f}" for s in (0.5, 0.95, 0.99))
    print(f"{'Greenroom, one by one':24}{'':24}{one}")
    print("\nProcessor time per reply by process, ms")
    for name, value in whole.cpu_ms.items():
        print(f"  {name:36}{value:8.2f}")
    print("\nProcessor time per reply by stage, ms (one process, same work)")
    for name, value in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"  {name:36}{value:8.2f}")
    print(
        json.dumps(
            {
                "benchmark": "pipeline",
                "rooms": rooms,
                "workers": workers,
                "replies_per_second": round(whole.replies_per_second, 1),
                "cpu_ms_per_reply": round(sum(whole.cpu_ms.values()), 1),
                "p50_ms": round(percentile(whole.latencies, 0.5)),
                "p95_ms": round(percentile(whole.latencies, 0.95)),
                "p99_ms": round(percentile(whole.latencies, 0.99)),
                "alone_p50_ms": round(percentile(alone, 0.5)),
                "baseline": {
                    "what": "openai SDK and two committed inserts",
                    "replies_per_second": round(floor.replies_per_second, 1),
                    "cpu_ms_per_reply": round(sum(floor.cpu_ms.values()), 1),
                },
                "load": round(load, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
