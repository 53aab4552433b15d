"""The platforms on which agents can have logins: what each asks, and how it proves the answers.

The engine knows none of them. Their connectors announce themselves when the program starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from typing_extensions import override

from agentapp.foundation.errors import Invalid, NotFound

MOST_CHARACTERS = 8_000  # in one message, where a platform allows any length
VERIFY_SECONDS = 20.0  # that a platform may take to prove a login; somebody waits for it


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a platform asks for a login.

    Attributes:
        is_secret: Shown to nobody, kept by nobody, and asked again when something else was wrong.
        is_rare: Only some people need to answer it.
        is_choice: Answered with yes ("yes") or not at all.
    """

    name: str
    label: str
    hint: str = ""
    is_required: bool = False
    is_secret: bool = False
    is_rare: bool = False
    is_choice: bool = False


@dataclass(frozen=True, slots=True)
class Proven:
    """A login that its platform confirmed.

    Attributes:
        external_id: The platform's name of it.
        secret: What its connector needs to go on; stored sealed.
        token: The part of it that may be here only once; "" for the whole.
        is_new: Proving made this login, so it has to be ended when nobody keeps it.
        details: What else the platform says of it, for people: `Details` as a dictionary.
    """

    external_id: str
    secret: str = field(repr=False)
    is_new: bool = False
    details: Mapping[str, object] = field(default_factory=dict)
    token: str = field(default="", repr=False)

    @override
    def __str__(self) -> str:
        return self.external_id


@dataclass(frozen=True, slots=True)
class Details:
    """What a page says of a login, beyond its health.

    Attributes:
        name: What people call it there; "" where its id is its name.
        invite_url: Opens the platform's own page that lets the login into a server; "" for none.
        notes: Whole sentences: what it cannot see or do, and what changes that.
    """

    name: str = ""
    invite_url: str = ""
    notes: tuple[str, ...] = ()

    def packed(self) -> dict[str, object]:
        """Return what is stored of it."""
        return {"name": self.name, "invite_url": self.invite_url, "notes": list(self.notes)}

    @classmethod
    def unpacked(cls, stored: Mapping[str, object]) -> Self:
        """Return what was stored; whatever is not as it should be is left out."""
        name, url, notes = stored.get("name"), stored.get("invite_url"), stored.get("notes")
        return cls(
            name=name if isinstance(name, str) else "",
            invite_url=url if isinstance(url, str) and url.startswith("https://") else "",
            notes=tuple(str(one) for one in notes) if isinstance(notes, list) else (),
        )


class WrongAnswer(Invalid):
    """This answer does not fit.

    Attributes:
        question: The name of the question it answers; "" when it is all of them together.
    """

    def __init__(self, message: str, *, question: str = "") -> None:
        super().__init__(message)
        self.question = question


class Platform(Protocol):
    """A kind of place where agents can talk.

    Attributes:
        most_characters: Code points that one message may have there.
        has_cards: Approval cards with buttons can be shown there.
    """

    code: str
    title: str
    lead: str
    invite_hint: str
    questions: tuple[Question, ...]
    most_characters: int
    has_cards: bool

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


def most_characters(code: str) -> int:
    """Return how long one message may be on a platform, in code points."""
    known = _KNOWN.get(code)
    return known.most_characters if known else MOST_CHARACTERS
