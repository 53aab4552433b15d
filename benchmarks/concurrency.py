"""How long a crowd waits: one message in each of N rooms at once, a model that takes 2 seconds.

One real worker process and one sender; embedded Postgres with fsync on. Were waiting free, all
would have their reply after the model's own time. Beside it, in the same run: the same questions
asked directly with the openai library, a thread for each.

    python -m benchmarks.concurrency --rooms 100

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

from agentapp.management.stack import commands
from benchmarks.measuring import percentile
from benchmarks.processes import MODEL_PORT, process, stage
from benchmarks.rooms import latencies, published, say_at_once, seed, wait_for_replies, warm
from tests.fakes.model_server import KEY

MODEL_SECONDS = 2.0


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=100)
    rooms = parser.parse_args().rooms
    with stage(latency=MODEL_SECONDS):
        floor = _floor(rooms)
        seconds, waits = _whole(rooms)
    print(f"{rooms} at once, a model that takes {MODEL_SECONDS:.0f} s\n")
    print(f"{'':28}{'all done s':>12}{'p50 s':>8}{'p95 s':>8}{'p99 s':>8}")
    for name, all_done, each in (
        ("Greenroom, one worker", seconds, waits),
        ("openai SDK, a thread each", max(floor), floor),
    ):
        shares = "".join(f"{percentile(each, share):8.2f}" for share in (0.5, 0.95, 0.99))
        print(f"{name:28}{all_done:12.2f}{shares}")
    print(
        json.dumps(
            {
                "benchmark": "concurrency",
                "rooms": rooms,
                "model_seconds": MODEL_SECONDS,
                "all_done_seconds": round(seconds, 2),
                "p50_seconds": round(percentile(waits, 0.5), 2),
                "p95_seconds": round(percentile(waits, 0.95), 2),
                "baseline_all_done_seconds": round(max(floor), 2),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


def _whole(rooms: int) -> tuple[float, list[float]]:
    """Return the seconds until the last reply, and each reply's own."""
    places = seed(rooms)
    with process(*commands.WORKER), process(*commands.BOTS):
        warm(places)
        done = published()
        begun = time.monotonic()
        say_at_once(places, "Ada, what grows well in the shade of a tall tree?")
        wait_for_replies(done + rooms)
        seconds = time.monotonic() - begun
    return seconds, [each / 1000 for each in latencies(newest=rooms)]


def _floor(questions: int) -> list[float]:
    import openai

    client = openai.OpenAI(api_key=KEY, base_url=f"http://127.0.0.1:{MODEL_PORT}/v1", max_retries=0)

    def ask(begun: float) -> float:
        stream = client.chat.completions.create(
            model="fake-chat",
            messages=[{"role": "user", "content": "What grows well in the shade?"}],
            stream=True,
        )
        for _ in stream:
            pass
        return time.monotonic() - begun

    with ThreadPoolExecutor(questions) as pool:
        list(pool.map(ask, [time.monotonic()] * questions))  # connections are open after it
        return list(pool.map(ask, [time.monotonic()] * questions))


if __name__ == "__main__":
    main()
