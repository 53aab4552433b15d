"""What a platform has to be able to do. Each lives in a folder of its own beside this file."""

from __future__ import annotations

from typing import Protocol

from agentapp.foundation.envelope import Outgoing, Receipt


class SendFailed(Exception):
    """The platform refused a piece; nothing of it is there.

    Attributes:
        final: Trying again cannot help.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Connector(Protocol):
    """One platform, as seen by the process that delivers to it."""

    platform: str

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Put a piece on the platform; the same `dedupe_key` twice shows once.

        Raises:
            SendFailed: It was refused. Any other error means that nobody knows whether it arrived.
        """
        ...

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look whether a piece arrived; None when it did not."""
        ...
