"""How trust grows, fades and is put into words, and who wants to be left alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

LOWEST, HIGHEST = -100.0, 100.0
LEVELS = ((80, 5), (60, 4), (40, 3), (20, 2))  # from this trust on
NAMES = {1: "stranger", 2: "acquaintance", 3: "friend", 4: "close friend", 5: "confidant"}

GAIN_PER_EXCHANGE = 1.0
GAIN_PER_DAY = 3.0
# An exchange that follows the one before at once is the same talk going on: volume is not trust.
SAME_TALK = timedelta(minutes=2)
KEPT_FOR = timedelta(days=30)
HALF_LIFE = timedelta(days=120)  # of trust that nobody renews, once `KEPT_FOR` has passed


@dataclass(frozen=True, slots=True)
class Bond:
    """A relationship as the rules see it. `trust` is in [-100, 100]."""

    trust: float = 0.0
    gained_today: float = 0.0
    gained_on: date | None = None
    exchanges: int = 0
    last_contact_at: datetime | None = None


def current_trust(bond: Bond, *, now: datetime) -> float:
    """Return trust as it is now: it stays for 30 days and then slowly goes back to nothing."""
    if bond.last_contact_at is None:
        return bond.trust
    idle = now - bond.last_contact_at - KEPT_FOR
    if idle <= timedelta(0):
        return bond.trust
    return float(bond.trust * 0.5 ** (idle / HALF_LIFE))


def level(trust: float) -> int:
    """Return the level from 1 (stranger) to 5 (confidant)."""
    return next((step for least, step in LEVELS if trust >= least), 1)


def after_exchange(bond: Bond, *, now: datetime, is_monologue: bool) -> Bond:
    """Return a bond after somebody spoke to an agent and was answered.

    Args:
        bond: As stored.
        now: Aware UTC time.
        is_monologue: The person talked on without answering the agent: no trust comes of that.
    """
    trust = current_trust(bond, now=now)
    gained = bond.gained_today if bond.gained_on == now.date() else 0.0
    is_same_talk = bond.last_contact_at is not None and now - bond.last_contact_at < SAME_TALK
    gain = 0.0
    if not (is_monologue or is_same_talk):
        gain = min(GAIN_PER_EXCHANGE, max(GAIN_PER_DAY - gained, 0.0))
    return replace(
        bond,
        trust=min(max(trust + gain, LOWEST), HIGHEST),
        gained_today=gained + gain,
        gained_on=now.date(),
        exchanges=bond.exchanges + 1,
        last_contact_at=now,
    )


def in_words(bond: Bond | None, *, now: datetime) -> str:
    """Say what is between an agent and a person, for the agent's prompt."""
    if bond is None or bond.exchanges == 0:
        return "you have never talked before"
    trust = current_trust(bond, now=now)
    if trust <= -LEVELS[-1][0]:
        return "it has been difficult between you; stay polite and brief"
    often = "a few times" if bond.exchanges < 10 else "often"
    kind = {
        1: "you hardly know each other",
        2: "an acquaintance",
        3: "a friend",
        4: "a close friend",
        5: "somebody who confides in you",
    }[level(trust)]
    return f"{kind}; you have talked {often}, last {_ago(bond, now)}"


def _ago(bond: Bond, now: datetime) -> str:
    if bond.last_contact_at is None:
        return "some time ago"
    days = (now - bond.last_contact_at).days
    if days < 1:
        return "within a day"
    if days < 14:
        return f"{days} day{'s' if days > 1 else ''} ago"
    return f"{days // 7} weeks ago"


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Who wants to be left alone where, as it stood at one moment.

    Attributes:
        rooms: Rooms in which no agent says anything.
        here: By room the people whom no agent answers or mentions there, with what they are
            called: names and handles.
        stopped: People whom no agent answers or mentions anywhere.
        gone: By room the people who have left there: nobody answers them, and anybody may mention
            them.
    """

    rooms: frozenset[int] = frozenset()
    here: Mapping[int, Mapping[int, frozenset[str]]] = field(default_factory=dict)
    stopped: frozenset[int] = frozenset()
    gone: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def has_left(self, *, room_id: int, person_id: int | None) -> bool:
        """Say whether a person is no longer where a room is."""
        return person_id is not None and person_id in self.gone.get(room_id, ())

    def wants_none(self, *, room_id: int, person_id: int | None) -> bool:
        """Say whether a person is not to be answered in a room."""
        return person_id is not None and (
            person_id in self.stopped or person_id in self.here.get(room_id, {})
        )

    def reason(
        self,
        *,
        room_id: int,
        people: Collection[int | None],
        text: str = "",
        is_direct: bool = False,
    ) -> str:
        """Say why something is not to be said in a room to these people; "" when it may be.

        Args:
            is_direct: Whatever is said there is said to whoever is there.
        """
        if room_id in self.rooms:
            return "The room was asked to be quiet."
        if is_direct and self.here.get(room_id):
            return "Who it is said to asked to be left alone."
        if any(self.wants_none(room_id=room_id, person_id=person_id) for person_id in people):
            return "Who it answers asked to be left alone."
        if any(self.has_left(room_id=room_id, person_id=person_id) for person_id in people):
            return "Who it answers has left."
        if any(mentions(text, names=names) for names in self.here.get(room_id, {}).values()):
            return "It mentions somebody who asked to be left alone."
        return ""


def mentions(text: str, *, names: Iterable[str]) -> bool:
    """Say whether a text names somebody: as `@name`, or as a word written as they are called.

    Two letters are too few to be a name without `@`.
    """
    return any(_names(text, name) for name in names if name)


def _names(text: str, name: str) -> bool:
    exact = re.escape(name)
    if re.search(rf"(?<![\w@])@{exact}(?!\w)", text, re.IGNORECASE):
        return True
    return len(name) > 2 and re.search(rf"(?<!\w){exact}(?!\w)", text) is not None
