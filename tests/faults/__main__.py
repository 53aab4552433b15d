"""A long storm on servers of its own: `make faults KILLS=500`. The last line is one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import django

from tests.services import running_services


def main() -> int:
    """Rage, read the rooms and say what was found; 1 when anything went wrong."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    kills = parser.parse_args().kills
    with running_services() as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment, DJANGO_SETTINGS_MODULE="agentapp.config.settings")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        django.setup()
        return _storm(kills, log=Path(folder) / "victims.log")


def _storm(kills: int, *, log: Path) -> int:
    # Nothing of Django may be imported before it is set up.
    from tests.fakes.model_server import ModelServer
    from tests.faults.storm import Storm, rage
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
    print(
        json.dumps(
            {
                "kills": storm.kills.total(),
                "points": len(storm.kills),
                "survived": len(storm.survivors),
                "events": found.events,
                "lost": len(found.lost),
                "doubled": len(found.doubled),
                "reordered": len(found.reordered),
                "unwanted": len(found.unwanted),
                "sent_after_suspension": found.after_suspension,
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
    )
    return 0 if found.is_clean and not storm.survivors else 1


if __name__ == "__main__":
    sys.exit(main())
