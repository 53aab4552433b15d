"""Measures everything, one after the other: `python -m benchmarks [NAME …]`.

The last line is one JSON object: each measurement's own, by its name.
"""

from __future__ import annotations

import json
import subprocess
import sys

MEASUREMENTS = (
    *("pipeline", "concurrency", "gateway", "recall"),
    *("live", "accounts", "matrix_scale", "soak"),
)


def main(names: list[str]) -> int:
    """Run measurements, all of them by default; 1 when one of them fails."""
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        sys.stdout.write(f"No such measurement: {', '.join(sorted(unknown))}.\n")
        return 1
    found: dict[str, object] = {}
    for name in names or MEASUREMENTS:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        last = _run(name)
        if last is None:
            return 1
        found[name] = last
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _run(name: str) -> object | None:
    """Run one and pass on its words as they come; return what its last line says."""
    last = ""
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line
    if running.returncode != 0:
        return None
    return json.loads(last)  # type: ignore[no-any-return]  # each ends with one object


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
