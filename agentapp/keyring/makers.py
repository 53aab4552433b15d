"""The platforms on which logins can read what is encrypted; their connectors say how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agentapp.foundation.errors import NotFound
from agentapp.keyring.changes import KeyName, KeyText, MadeKeys


class KeyMaker(Protocol):
    """What a platform does with keys. All that takes time happens outside of transactions.

    Attributes:
        own: The names of what makes a login the device that it is.
        lasting: Kinds of keys that stay when a login's encryption is turned on anew.
        portable: The kind of those keys that other programs of the platform take.
    """

    code: str
    own: tuple[KeyName, ...]
    lasting: tuple[str, ...]
    portable: str

    def draw(self, secret: str, *, earlier: Mapping[KeyName, KeyText]) -> MadeKeys:
        """Return keys for a login's device: those drawn for it before, or new ones.

        Raises:
            Invalid: Not for this login; the message says why.
        """

    def show(self, secret: str, made: MadeKeys, *, password: str) -> MadeKeys:
        """Have the platform show the public halves; doing it again changes nothing.

        Args:
            password: What the login is made with, where the platform asks for it again.

        Raises:
            AgentError: The platform refuses, or does not answer; the message says what to do.
        """

    def export(self, keys: Mapping[KeyName, KeyText], *, passphrase: str) -> bytes:
        """Return keys as a file that other programs of the platform take, locked by a phrase."""

    def read_export(
        self, content: bytes, *, passphrase: str, known: Mapping[KeyName, KeyText]
    ) -> dict[KeyName, KeyText]:
        """Return the keys in such a file that are better than what is known.

        Raises:
            Invalid: It is no such file, or the phrase is wrong.
        """


_KNOWN: dict[str, KeyMaker] = {}


def offer(maker: KeyMaker) -> None:
    """Make known how a platform's keys are made. Offering it again replaces it."""
    _KNOWN[maker.code] = maker


def is_offered(platform: str) -> bool:
    """Say whether logins on a platform can have keys."""
    return platform in _KNOWN


def maker_for(platform: str) -> KeyMaker:
    """Return how keys are made on a platform.

    Raises:
        NotFound: There are none.
    """
    if platform not in _KNOWN:
        raise NotFound
    return _KNOWN[platform]
