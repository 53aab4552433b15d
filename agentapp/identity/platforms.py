"""The platforms on which agents can have logins: what each asks, and how it proves the answers.

The engine knows none of them. Their connectors announce themselves when the program starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from typing_extensions import override

from agentapp.foundation.errors import Invalid, NotFound

VERIFY_SECONDS = 20.0  # that a platform may take to prove a login; somebody waits for it


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a platform asks for a login.

    Attributes:
        is_secret: Shown to nobody, kept by nobody, and asked again when something else was wrong.
        is_rare: Only some people need to answer it.
    """

    name: str
    label: str
    hint: str = ""
    is_required: bool = False
    is_secret: bool = False
    is_rare: bool = False


@dataclass(frozen=True, slots=True)
class Proven:
    """A login that its platform confirmed.

    Attributes:
        external_id: The platform's name of it.
        secret: What its connector needs to go on; stored sealed.
        token: The part of it that may be here only once; "" for the whole.
        is_new: Proving made this login, so it has to be ended when nobody keeps it.
    """

    external_id: str
    secret: str = field(repr=False)
    is_new: bool = False
    token: str = field(default="", repr=False)

    @override
    def __str__(self) -> str:
        return self.external_id


class WrongAnswer(Invalid):
    """This answer does not fit.

    Attributes:
        question: The name of the question it answers; "" when it is all of them together.
    """

    def __init__(self, message: str, *, question: str = "") -> None:
        super().__init__(message)
        self.question = question


class Platform(Protocol):
    """A kind of place where agents can talk."""

    code: str
    title: str
    lead: str
    invite_hint: str
    questions: tuple[Question, ...]

    def handle_of(self, answers: Mapping[str, str]) -> str:
        """Return which login the answers are about, as far as they say it; asks nobody."""

    def prove(self, answers: Mapping[str, str], *, earlier: str) -> Proven:
        """Ask the platform whether the answers hold. Takes at most `VERIFY_SECONDS`.

        Args:
            earlier: The secret of the same login from before, so that it goes on as the same
                device; "" for none.

        Raises:
            WrongAnswer: They do not.
            Unavailable: The platform cannot say at the moment.
        """

    def end(self, secret: str) -> None:
        """Give a login back to its platform, if that answers. Raises nothing."""


_KNOWN: dict[str, Platform] = {}


def offer(platform: Platform) -> None:
    """Make a platform known to this process. Offering it again replaces it."""
    _KNOWN[platform.code] = platform


def offered() -> list[Platform]:
    """Return the platforms that logins can be made on, in the order of their titles."""
    return sorted(_KNOWN.values(), key=lambda one: one.title)


def offered_as(code: str) -> Platform:
    """Return a platform by its code.

    Raises:
        NotFound: There is none.
    """
    if code not in _KNOWN:
        raise NotFound
    return _KNOWN[code]
