"""Keeping the children's logs below a size."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LIMIT_BYTES = 10_000_000  # per child; with its one older copy at most twice that on disk


def cap_log(path: Path, *, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Move a log's contents to `<name>.1` when it has grown past the limit.

    The child keeps its open file, which appends, and goes on at the new end; a line written
    between the copy and the cut may be lost.

    Returns:
        Whether the log was cut.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)
    except OSError:  # a full disk must not take the host down; the next round tries again
        return False
    return True


def last_lines(path: Path, *, count: int) -> str:
    """Return the end of a log, for the terminal."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])
