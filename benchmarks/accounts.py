"""What idle logins cost: memory and processor time of 50 and 200 of them on each platform.

Ours: one real `bots` process. The baseline in the same run: as many bare clients of the platform's
library (discord.py, matrix-nio) in one process, which keep no record, lease nothing and check
nothing. The homeserver is a real Synapse, Discord a stand-in that speaks its gateway.

    python -m benchmarks.accounts --logins 50,200

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agentapp.management.stack import commands
from benchmarks.measuring import memory_bytes, processor_seconds
from benchmarks.processes import ROOT, process, stage
from tests.fakes.discord import Discord
from tests.fakes.synapse import Synapse

IDLE_SECONDS = 15.0
SETTLE_SECONDS = 8.0
UP_SECONDS = 240.0
Login = dict[str, str]


def main() -> None:
    """Measure every platform with every number of logins, ours and bare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logins", default="50,200")
    parser.add_argument("--platforms", default="matrix,discord")
    asked = parser.parse_args()
    counts = [0, *(int(word) for word in asked.logins.split(","))]
    cases: list[dict[str, object]] = []
    logging.getLogger("websockets").setLevel(logging.WARNING)
    with stage(), ExitStack() as stack:
        for platform in asked.platforms.split(","):
            logins = {"matrix": _on_matrix, "discord": _on_discord}[platform](stack, max(counts))
            for count in counts:
                for name, running in (("Greenroom", _ours), ("bare clients", _bare)):
                    with running(platform, logins[:count]) as pid:
                        cases.append(
                            {"platform": platform, "name": name, "logins": count, **_idle(pid)}
                        )
                        print(_line(cases), flush=True)
    print(json.dumps({"benchmark": "accounts", "load": os.getloadavg()[0], "cases": cases}))


def _on_matrix(stack: ExitStack, count: int) -> list[Login]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    server = Synapse(Path(folder))
    server.start()
    stack.callback(server.stop)
    os.environ["MATRIX_ALLOW_PRIVATE"] = "yes"
    users = [server.user("idle") for _ in range(count)]
    return [
        {"server": server.url, "id": one.user_id, "device": one.device_id, "token": one.token}
        for one in users
    ]


def _on_discord(stack: ExitStack, count: int) -> list[Login]:
    server = stack.enter_context(Discord())
    os.environ.update(DISCORD_API=server.api_url, DISCORD_GATEWAY=server.gateway_url)
    bots = [server.bot(f"idle{n}") for n in range(count)]
    for n, bot in enumerate(bots):
        server.guild(f"Guild {n}", bot).channel("lobby")
    return [{"id": str(bot.id), "token": bot.token} for bot in bots]


@contextmanager
def _ours(platform: str, logins: list[Login]) -> Iterator[int]:
    """Run our process with these logins, and no others, until all of them are well."""
    from agentapp.identity.models import Account

    Account.objects.all().delete()
    _give(platform, logins)
    with process(*commands.BOTS) as pid:
        well = Account.objects.filter(platform=platform, health=Account.Health.OK)
        give_up = time.monotonic() + UP_SECONDS
        while well.count() < len(logins):
            if time.monotonic() > give_up:
                raise SystemExit(f"only {well.count()} of {len(logins)} logins came up")
            time.sleep(0.2)
        yield pid


def _give(platform: str, logins: list[Login]) -> None:
    from agentapp.identity.models import Account, User
    from agentapp.identity.services.agents import create_agent
    from agentapp.identity.services.logins import add_login
    from agentapp.identity.services.tenancy import create_workspace
    from bots.matrix.credentials import Login as MatrixLogin
    from bots.matrix.login import packed

    owner = User.objects.create_user(username=f"owner{time.monotonic_ns()}")
    workspace = create_workspace(user=owner, name="Bench")
    spec: dict[str, object] = {"instructions": "You are calm.", "interests": ["tea"]}
    for n, login in enumerate(logins):
        agent = create_agent(owner=owner, workspace=workspace, name=f"A{n}", spec=spec)
        secret = login["token"]
        if platform == "matrix":
            secret = packed(
                MatrixLogin(login["server"], login["id"], login["device"], login["token"])
            )
        add_login(
            agent_id=agent.pk,
            platform=platform,
            external_id=login["id"],
            name=agent.name,
            secret=secret,
            token=login["token"],
            by=owner,
        )
    Account.objects.filter(platform="local").delete()


@contextmanager
def _bare(platform: str, logins: list[Login]) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_clients", platform],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            running.stdin.write(json.dumps(logins) + "\n")
            running.stdin.flush()
            if running.stdout.readline() != "ready\n":
                raise SystemExit("the bare clients did not come up")
            yield running.pid
        finally:
            running.kill()


def _idle(pid: int) -> dict[str, float]:
    """Let a process be idle; return its memory and which share of a core it used."""
    time.sleep(SETTLE_SECONDS)
    begun, burnt = time.monotonic(), processor_seconds([pid])
    time.sleep(IDLE_SECONDS)
    burnt = processor_seconds([pid]) - burnt
    return {
        "memory_mb": round(memory_bytes(pid) / 1e6, 1),
        "cpu_percent": round(100 * burnt / (time.monotonic() - begun), 2),
    }


def _line(cases: list[dict[str, object]]) -> str:
    """Describe the last case, with what each login adds to the same process without any."""
    last = cases[-1]
    empty = next(
        one
        for one in cases
        if (one["platform"], one["name"], one["logins"]) == (last["platform"], last["name"], 0)
    )
    count = int(str(last["logins"]))
    if count:
        added = float(str(last["memory_mb"])) - float(str(empty["memory_mb"]))
        last["kb_per_login"] = round(added * 1000 / count)
    each = f"{last.get('kb_per_login', 0):>8} kB each" if count else ""
    return (
        f"{last['platform']:8} {last['name']:13} {count:4} logins {last['memory_mb']:>7} MB "
        f"{last['cpu_percent']:>6} % of a core {each}"
    )


if __name__ == "__main__":
    main()
