"""Which tests share a process, so that what is expensive to start is started once.

Those of a file always do. Those of a folder named here do as well: each process that runs some of
them would start a whole host and a browser of its own.
"""

from __future__ import annotations

from typing_extensions import override
from xdist.scheduler import LoadFileScheduling

FOLDERS = ("tests/flows/",)


class Together(LoadFileScheduling):
    """What `--dist loadfile` does, with some folders for files."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        whole = (folder for folder in FOLDERS if nodeid.startswith(folder))
        return next(whole, super()._split_scope(nodeid))
