"""The whole beat table: one row per clock hand, with its period and the reason for it."""

from __future__ import annotations

from typing import NamedTuple


class Tick(NamedTuple):
    """One row of the table; `seconds` between two runs."""

    name: str
    task: str
    seconds: float
    reason: str


TICKS = [
    Tick("lanes", "agentapp.tick_lanes", 5, "finds lanes whose wake-up was lost"),
    Tick("gateway-watchdog", "agentapp.tick_gateway", 30, "settles calls whose worker died"),
    Tick("safety-expiry", "agentapp.tick_safety", 60, "writes the event of an ended suspension"),
    Tick("commands", "agentapp.tick_commands", 60, "lets go of answered words and ended quiets"),
    Tick("draft-expiry", "agentapp.tick_drafts", 60, "expires, warns, withdraws stale replies"),
    Tick(
        "memory-indexing", "agentapp.tick_memory", 30, "embeds what could not be embedded at once"
    ),
    Tick("memory-upkeep", "agentapp.tick_memory_upkeep", 86_400, "consolidates, promotes, prunes"),
    Tick("talks", "agentapp.tick_talks", 300, "goes over talks after 30 minutes of silence"),
    Tick("demo", "agentapp.tick_demo", 2, "moves the demo room while somebody watches"),
]

BEAT_SCHEDULE = {
    tick.name: {
        "task": tick.task,
        "schedule": tick.seconds,
        # A tick that waited longer than its own period is replaced by the next one.
        "options": {"expires": max(tick.seconds, 5)},
    }
    for tick in TICKS
}
