"""Long storms on servers of their own: `make faults KILLS=500`. The last line is JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

from tests.faults.scale import REPORT
from tests.services import running_services

ROOT = Path(__file__).resolve().parents[2]
# What goes on for longer here than with the tests: how much of it for each 10,000 kills, and where.
LONGER = {
    "gaps": (500, "tests/bots/discord/test_gaps.py"),
    "bursts": (20, "tests/bots/matrix/test_storm.py"),
    "blows": (150, "tests/faults/test_cold_kills.py"),
}
LEAST = {"gaps": 18, "bursts": 1, "blows": 23}


def main() -> int:
    """Rage, read the rooms and say what was found; 1 when anything went wrong."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--only", choices=["kills", *LONGER])
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    is_clean = True
    if asked.only in {None, "kills"}:
        is_clean = killed(asked.kills, figures)
    for what in LONGER:
        if asked.only in {None, what}:
            is_clean = went_on(what, asked.kills, figures) and is_clean
    print(json.dumps(figures))
    return 0 if is_clean else 1


def killed(kills: int, figures: dict[str, float]) -> bool:
    """Kill processes at named points; say whether all was well."""
    with running_services() as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment, DJANGO_SETTINGS_MODULE="agentapp.config.settings")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        django.setup()
        return _storm(kills, log=Path(folder) / "victims.log", figures=figures)


def went_on(what: str, kills: int, figures: dict[str, float]) -> bool:
    """Run a storm of the tests for longer; say whether all was well."""
    each, where = LONGER[what]
    number = max(LEAST[what], each * kills // 10_000)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=short", "--show-capture=no", where],
            check=False,
            cwd=ROOT,
            env=os.environ | {f"FAULTS_{what.upper()}": str(number), REPORT: str(told)},
        )
        for line in told.read_text().splitlines() if told.exists() else ():
            figures.update(json.loads(line))
    return done.returncode == 0


def _storm(kills: int, *, log: Path, figures: dict[str, float]) -> bool:
    # Nothing of Django may be imported before it is set up.
    from tests.fakes.model_server import ModelServer
    from tests.faults.course import rage
    from tests.faults.storm import Storm
    from tests.faults.victims import nursery

    begun = time.monotonic()
    with ModelServer() as server, nursery(log=log) as victims:
        storm = Storm(server=server, nursery=victims, kills=kills)
        rage(storm, kills=kills)
        found = storm.calm()
    for point, count in sorted(storm.kills.items()):
        print(f"  {point:20}{count:6}")
    if storm.survivors:
        print(f"survived: {', '.join(storm.survivors)}")
    for what in ("lost", "doubled", "reordered", "unwanted"):
        if getattr(found, what):
            print(f"{what}: {', '.join(getattr(found, what))}")
    figures.update(
        kills=storm.kills.total(),
        points=len(storm.kills),
        survived=len(storm.survivors),
        events=found.events,
        lost=len(found.lost),
        doubled=len(found.doubled),
        reordered=len(found.reordered),
        unwanted=len(found.unwanted),
        sent_after_suspension=found.after_suspension,
        seconds=round(time.monotonic() - begun, 1),
    )
    return found.is_clean and not storm.survivors


if __name__ == "__main__":
    sys.exit(main())
