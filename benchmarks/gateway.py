"""What a call costs on its way to a model: our gateway, the bare openai library, LiteLLM's proxy.

All ask one stand-in server in one run, by turns. "Added" is over the least client there is: raw
bytes over a kept connection. Ours does more than the others: it sets money aside before each call,
settles it after, and keeps the record, in two commits that reach the disk (fsync on).

    python -m benchmarks.gateway [--litellm PATH/TO/bin/litellm]

For the proxy: `.venv/bin/python .ci/neighbours.py litellm`. Without it that column is left out. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from benchmarks.measuring import percentile, postgres_processes, processor_seconds
from benchmarks.processes import process, stage, wait_for_port
from benchmarks.raw_client import SYSTEM, RawClients

MOCK_PORT, PROXY_PORT = 19_020, 19_021
ROUNDS = 3
# Name, how many at once, calls per round, the model's behaviour.
SHAPES = (
    ("1 at once, no wait", 1, 40, "mock-L0-T16-G0"),
    ("16 at once, 200 ms", 16, 96, "mock-L200-T16-G0"),
    ("100 at once, 200 ms", 100, 200, "mock-L200-T16-G0"),
    ("stream of 256, 1 at once", 1, 20, "mock-L0-T256-G0"),
)


@dataclass
class Calls:
    """What one case took: seconds per call, to the first token, and of processor time."""

    waits: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def cpu_ms(self) -> float:
        """Return the processor time per call."""
        return 1000 * self.cpu / len(self.waits)


Ask = Callable[[str], tuple[float, float]]  # the model's name; seconds to the first token, in all


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", type=Path, default=Path(".venv-litellm/bin/litellm"))
    litellm = parser.parse_args().litellm
    with ExitStack() as stack:
        stack.enter_context(stage())
        mock = stack.enter_context(process("-m", "benchmarks.mock_model", "--port", str(MOCK_PORT)))
        wait_for_port(MOCK_PORT)
        cases: dict[str, tuple[Ask, Callable[[], float]]] = {
            "raw client": (RawClients(MOCK_PORT).ask, time.process_time),
            "openai SDK": (_sdk(), time.process_time),
            "Greenroom": (_ours(), _own_and_database(os.environ["DATABASE_URL"])),
        }
        if litellm.exists():
            proxy, key = stack.enter_context(_proxy(litellm))
            ask = RawClients(PROXY_PORT, key=key).ask
            cases["LiteLLM proxy"] = (ask, lambda: processor_seconds([proxy]))
        found = {shape[0]: _measured(cases, shape) for shape in SHAPES}
        assert processor_seconds([mock]) > 0
    _report(found)


def _measured(
    cases: dict[str, tuple[Ask, Callable[[], float]]], shape: tuple[str, int, int, str]
) -> dict[str, Calls]:
    _, at_once, count, model = shape
    calls: dict[str, Calls] = defaultdict(Calls)
    with ThreadPoolExecutor(at_once) as pool:
        for turn in range(ROUNDS + 1):
            for name, (ask, processor) in cases.items():
                before = processor()
                rows = list(pool.map(ask, [model] * count))
                if turn == 0:
                    continue  # connections, caches and plans are warm after it
                calls[name].cpu += processor() - before
                calls[name].firsts += [first for first, _ in rows]
                calls[name].waits += [all_of_it for _, all_of_it in rows]
    return calls


def _sdk() -> Ask:
    import openai

    client = openai.OpenAI(api_key="x", base_url=f"http://127.0.0.1:{MOCK_PORT}/v1", max_retries=0)

    def ask(model: str) -> tuple[float, float]:
        begun, first = time.monotonic(), 0.0
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Shade?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            if not first and chunk.choices and chunk.choices[0].delta.content:
                first = time.monotonic() - begun
        return first, time.monotonic() - begun

    return ask


def _ours() -> Ask:
    """Open a workspace for each model, so that choosing and budgets are those of every day."""
    from agentapp.foundation.database import fresh_connection
    from agentapp.identity.models import User
    from agentapp.identity.services.tenancy import create_workspace
    from agentapp.llm import gateway
    from agentapp.llm.models import Budget, Provider
    from tests.fakes.connecting import connect

    server: Any = SimpleNamespace(base_url=f"http://127.0.0.1:{MOCK_PORT}/v1", key="x")
    owner = User.objects.create_user(username=f"owner{time.monotonic_ns()}")
    homes = {}
    for model in {shape[3] for shape in SHAPES}:
        workspace = create_workspace(user=owner, name=model)
        connect(workspace, server)
        Provider.objects.filter(workspace=workspace).update(reply_model=model, cheap_model=model)
        Budget.objects.update_or_create(
            workspace=workspace, agent=None, defaults={"day_micros": 10**12}
        )
        homes[model] = workspace.pk
    messages = [
        gateway.ChatMessage(gateway.Role.SYSTEM, SYSTEM),
        gateway.ChatMessage(gateway.Role.USER, "Shade?"),
    ]

    def ask(model: str) -> tuple[float, float]:
        begun = time.monotonic()
        firsts: list[float] = []

        def hear(_text: str) -> None:
            if not firsts:
                firsts.append(time.monotonic() - begun)

        with fresh_connection():
            gateway.ask(
                workspace_id=homes[model],
                purpose="reply",
                messages=messages,
                key=secrets.token_hex(16),
                on_text=hear,
            )
        return firsts[0], time.monotonic() - begun

    return ask


def _own_and_database(dsn: str) -> Callable[[], float]:
    database = postgres_processes(dsn)
    return lambda: time.process_time() + processor_seconds(database)


@contextmanager
def _proxy(program: Path) -> Iterator[tuple[int, str]]:
    """Run the proxy as its own documentation advises for production; yield its pid and key."""
    key = f"sk-{secrets.token_hex(16)}"
    models = "".join(
        f"  - model_name: {model}\n    litellm_params:\n      model: openai/{model}\n"
        f"      api_base: http://127.0.0.1:{MOCK_PORT}/v1\n      api_key: x\n"
        for model in sorted({shape[3] for shape in SHAPES})
    )
    config = Path(tempfile.mkdtemp()) / "litellm.yaml"
    config.write_text(
        f"model_list:\n{models}litellm_settings:\n  telemetry: false\n  set_verbose: false\n"
    )
    environment = {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "DATABASE_URL": None,  # ours; it would look for tables of its own there
    }
    arguments = ("--config", str(config), "--port", str(PROXY_PORT))
    with process(*arguments, program=str(program), environment=environment) as pid:
        wait_for_port(PROXY_PORT, seconds=120)
        time.sleep(5)  # it listens before it is ready
        yield pid, key


def _report(found: dict[str, dict[str, Calls]]) -> None:
    print(f"load average {os.getloadavg()[0]:.1f}; added: over the raw client of the same run\n")
    figures: dict[str, object] = {"benchmark": "gateway"}
    for shape, (_, _, _, model) in zip(found, SHAPES, strict=True):
        tokens = int(model.split("-T")[1].split("-")[0])
        raw = found[shape]["raw client"]
        print(
            f"{shape:26}{'added p50':>11}{'added p95':>11}{'first':>9}"
            f"{'CPU ms':>9}{'tokens/s core':>15}"
        )
        for name, calls in found[shape].items():
            row = {
                "added_p50_ms": 1000 * (median(calls.waits) - median(raw.waits)),
                "added_p95_ms": 1000
                * (percentile(calls.waits, 0.95) - percentile(raw.waits, 0.95)),
                "first_ms": 1000 * (median(calls.firsts) - median(raw.firsts)),
                "cpu_ms": calls.cpu_ms(),
                "tokens_per_core_second": 1000 * tokens / max(calls.cpu_ms(), 0.001),
            }
            figures[f"{shape}: {name}"] = {key: round(value, 1) for key, value in row.items()}
            print(
                f"  {name:24}{row['added_p50_ms']:11.1f}{row['added_p95_ms']:11.1f}"
                f"{row['first_ms']:9.1f}{row['cpu_ms']:9.2f}{row['tokens_per_core_second']:15,.0f}"
            )
        print()
    print(json.dumps(figures | {"load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
