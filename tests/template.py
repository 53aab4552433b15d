"""A migrated database on disk, made once per schema and copied for every pytest run.

Migrating takes longer than most test files. The copy is keyed by everything that decides what
the migrated database holds, so a stale one is never used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".pytest_cache" / "databases"
KEPT = 3  # schemas; switching between branches stays quick
PASSWORDS = "passwords.json"
DATABASE = "postgres"
SOURCES = (
    "requirements.txt",
    "agentapp/apps.py",
    "agentapp/config/settings.py",
    "agentapp/management/stack/*.py",
    "agentapp/migrations/*.py",
    "agentapp/**/models.py",
    "agentapp/**/models/*.py",
    "tests/services.py",
    "tests/template.py",
)


def restore(target: Path, *, account: ServiceAccount) -> dict[str, str] | None:
    """Copy the database of this schema to `target`; return its passwords, None without one."""
    source = CACHE / schema_key()
    try:
        passwords: dict[str, str] = json.loads((source / PASSWORDS).read_text(encoding="utf-8"))
        shutil.copytree(source / DATABASE, target)
    except (OSError, shutil.Error):  # none yet, or another run is just clearing up
        shutil.rmtree(target, ignore_errors=True)
        return None
    os.utime(source)
    for folder, names, files in os.walk(target):
        account.take(Path(folder), mode=0o700)
        for name in (*names, *files):
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)
    return passwords


def save(source: Path, passwords: dict[str, str]) -> None:
    """Keep a copy of a stopped server's data folder for the next run."""
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=CACHE))
    try:
        shutil.copytree(source, fresh / DATABASE)
        (fresh / PASSWORDS).write_text(json.dumps(passwords), encoding="utf-8")
        fresh.rename(CACHE / schema_key())
    except OSError:  # another run was first, or the disk is full: both are fine
        shutil.rmtree(fresh, ignore_errors=True)
    for old in list(_newest_first())[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def schema_key() -> str:
    """Return a name for everything that decides what the migrated database holds."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _newest_first() -> Iterator[Path]:
    folders = [path for path in CACHE.iterdir() if not path.name.startswith("new-")]
    yield from sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
