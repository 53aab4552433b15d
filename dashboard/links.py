"""One live connection as the hub sees it: who, which topics, and a bounded queue of frames."""

from __future__ import annotations

import asyncio
from collections import deque

from dashboard.frames import RESYNC
from dashboard.rights import Login
from dashboard.topics import Topic

LONGEST_QUEUE = 100  # frames


class Link:
    """A connection's end inside the hub.

    Frames are hints, so a client that cannot keep up loses its queue and is told once to read
    everything again; it never holds up the others.

    Attributes:
        topics: What it listens to, and for `turn:<id>` the agent whose turn it is.
        close_code: Set when the connection is to be closed.
    """

    def __init__(self, *, login: Login, session_key: str) -> None:
        self.login = login
        self.user_id = login.user_id
        self.session_key = session_key
        self.topics: dict[Topic, int | None] = {}
        self.close_code: int | None = None
        self._frames: deque[str] = deque()
        self._is_behind = False
        self._waiting: asyncio.Future[None] | None = None

    def offer(self, frame: str) -> None:
        """Queue a hint. One too many, and a single resync stands for all of them."""
        if self._is_behind or self.close_code is not None:
            return
        if len(self._frames) >= LONGEST_QUEUE:
            self.resync()
        else:
            self.answer(frame)

    def resync(self) -> None:
        """Replace everything that waits by the word to read it all again."""
        self._frames.clear()
        self._is_behind = True
        self.answer(RESYNC)

    def answer(self, frame: str) -> None:
        """Queue a frame that is never dropped for being one too many."""
        self._frames.append(frame)
        self._wake()

    def end(self, code: int) -> None:
        """Have the connection closed; what waits is not sent any more."""
        self._frames.clear()
        self.close_code = code
        self._wake()

    async def next_frame(self) -> str | None:
        """Wait for the next frame; None when the connection is to be closed."""
        while self.close_code is None:
            if self._frames:
                frame = self._frames.popleft()
                self._is_behind = self._is_behind and frame is not RESYNC
                return frame
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
