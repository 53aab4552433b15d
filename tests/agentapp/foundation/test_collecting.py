"""Every process that serves leaves what it loaded out of the collector's looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

STARTS = {
    "worker": "import celery.signals as s; from agentapp.config.celery import app\n"
    "s.worker_ready.send(sender=app)",
    "web": "import dashboard.asgi",
    "bots": "import django; django.setup()\n"
    "import bots.main\n"
    "async def serve(): pass\n"
    "bots.main.serve = serve\n"
    "from django.core.management import call_command; call_command('runbots')",
}


@pytest.mark.parametrize("process", STARTS)
def test_what_is_loaded_is_not_looked_at_again(process: str) -> None:
    script = f"{STARTS[process]}\nimport gc; print(gc.get_freeze_count(), gc.get_threshold()[0])"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "agentapp.config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, threshold = map(int, ran.stdout.split())
    assert frozen > 10_000
    assert threshold > 10_000
