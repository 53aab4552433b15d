"""What can go wrong with a homeserver, in the families that the host understands."""

from __future__ import annotations

from agentapp.foundation.errors import Refused, Unavailable
from bots.connector import NotSent, SendRefused

LOST_LOGIN = frozenset(
    {"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"}
)


PRIVATE = (
    "This homeserver is on this machine or in a private network. Whoever runs Greenroom has to "
    "allow that, with MATRIX_ALLOW_PRIVATE=yes in its settings."
)


class NotReached(NotSent):
    """The homeserver cannot be reached. Nothing was sent to it."""


class AddressRefused(NotReached):
    """The name leads only to addresses that connections may not go to."""

    def __init__(self) -> None:
        super().__init__(PRIVATE)


class Limited(NotSent):
    """The homeserver wants fewer requests; it did nothing with this one.

    Attributes:
        seconds: How long it wants to be left alone.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The homeserver limits how often this login may act; it asks for {seconds:.0f} s of "
            "rest. Its admin can raise the limit for this login."
        )
        self.seconds = seconds


class Faltering(Unavailable):
    """The homeserver broke off or answered with an error of its own."""


class TooLong(Faltering):
    """The homeserver sent far more than an answer; the rest was not read."""


class LoginLost(Refused):
    """The homeserver no longer accepts this login.

    Attributes:
        is_soft: The device is still there; a refresh token or a new login for it is enough.
    """

    def __init__(self, code: str, *, is_soft: bool = False) -> None:
        why = {
            "M_USER_DEACTIVATED": "The account was deactivated on its homeserver.",
            "M_USER_LOCKED": "The account is locked on its homeserver; ask its admin.",
        }.get(code, "The homeserver no longer accepts this login.")
        super().__init__(f"{why} Nothing is sent or read until you log it in again.")
        self.code = code
        self.is_soft = is_soft


class Rejected(SendRefused):
    """The homeserver refuses this for good.

    Attributes:
        code: The homeserver's word for it, such as M_FORBIDDEN.
        status: Of the HTTP answer.
    """

    def __init__(self, code: str, status: int) -> None:
        super().__init__(_WORDS.get(code, f"The homeserver refuses this ({code})."))
        self.code = code
        self.status = status


_WORDS = {
    "M_FORBIDDEN": "This login may not do that in this room.",
    "M_NOT_FOUND": "The homeserver does not know this room or message.",
    "M_TOO_LARGE": "This is too large for the homeserver.",
    "M_DUPLICATE_ANNOTATION": "This reaction is already there.",
}
