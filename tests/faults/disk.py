"""A small disk that can be full. Making one takes the right to mount; without it there is none."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = "600m"
BLOCK = b"\0" * 1_048_576


@dataclass(frozen=True)
class Disk:
    """A folder; `is_small` where it is a file system of its own."""

    folder: Path
    is_small: bool

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no byte free until the block ends."""
        assert self.is_small
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for block in (BLOCK, BLOCK[:4096]):
                try:
                    while file.write(block) == len(block):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        try:
            yield
        finally:
            ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a small disk at a folder, or give the plain folder where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", str(folder)]
    is_small = os.geteuid() == 0
    if is_small:
        is_small = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield Disk(folder, is_small)
    finally:
        if is_small:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
