"""Decisions about drafts: pure functions and their numbers."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_PENDING_DRAFTS = 50  # per agent
EXPIRES_AFTER = timedelta(days=7)
WARN_BEFORE = timedelta(hours=24)
STALE_AFTER = timedelta(minutes=30)  # a chat reply nobody decided on
STALE_AFTER_MESSAGES = 30  # newer messages in its room
UNDO_SECONDS = 5  # between an owner's approval and the first byte
BULK_LIMIT = 25
MAX_FILES = 4  # of one draft
DEDUPE_CHARACTERS = 22  # fits Discord's nonce (25) and carries 128 bits in base 62

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Codes of the host's own lines that say what somebody asked for; they tell of the quiet itself.
TELLING = frozenset({"command", "moderation"})

REWARD_APPROVED = 0.5
REWARD_REJECTED = -0.5
REWARD_BLOCKED = -0.7


def content_hash(*, kind: str, text: str, emoji: str, files: Iterable[tuple[str, str]] = ()) -> str:
    """Return the fingerprint of what an owner saw; files count by name and sha256."""
    parts = [kind, emoji, text, *(part for each in files for part in each)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def is_emoji(text: str) -> bool:
    """Say whether a text is one emoji or a few in a row, and nothing else."""
    kinds = {unicodedata.category(character) for character in text}
    return "So" in kinds and kinds <= {"So", "Sk", "Mn", "Cf"}


def dedupe_key() -> str:
    """Return 128 random bits as 22 characters of base 62."""
    number = secrets.randbits(128)
    digits = []
    for _ in range(DEDUPE_CHARACTERS):
        number, rest = divmod(number, 62)
        digits.append(_BASE62[rest])
    return "".join(digits)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the approval rule looks at.

    Attributes:
        own_rule: The agent's rule for this kind: auto, owner or "".
        reply_mode: The room's switch: approve or own.
        is_reply: It answers in the room whose message made the agent think.
        is_notice: A fixed text of the host's own, such as "I cannot answer just now".
    """

    kind: str
    own_rule: str
    reply_mode: str
    is_reply: bool
    is_notice: bool
    tainted: bool
    asks_by_screen: bool


def approval(proposal: Proposal) -> str:
    """Return auto or owner.

    Whatever strangers' text led to may go on its own only back into the room it came from.
    """
    if proposal.asks_by_screen:
        return "owner"
    if proposal.is_notice:
        return "auto"
    if proposal.tainted and not proposal.is_reply:
        return "owner"
    if proposal.own_rule in {"auto", "owner"}:
        return proposal.own_rule
    if proposal.kind == "post" or not proposal.is_reply:
        return "owner"
    return "auto" if proposal.reply_mode == "own" else "owner"


@dataclass(frozen=True, slots=True)
class Claim:
    """Everything the last check before the wire looks at, read inside the claiming transaction."""

    kind: str
    hold: str  # kill_switch, suspended, muted or ""
    restricted: tuple[str, ...]
    agent_status: str
    expires_at: datetime
    stale: bool
    decided_by_owner: bool
    draft_epoch: int
    epoch: int
    budget_left: bool
    is_notice: bool
    room_gone: bool
    needs_target: bool
    target_there: bool
    membership: str  # "" when the agent is not in the room
    answers_moderator: bool = False  # the host's line that says what a moderator of the room did
    left_alone: str = ""  # why the room, or whom it answers or mentions, hears nothing of it


@dataclass(frozen=True, slots=True)
class Stop:
    """A gate's no. A blocking one is final; otherwise the draft goes back to its owner."""

    gate: str
    reason: str
    final: bool


def kill_switch(claim: Claim, now: datetime) -> Stop | None:
    """Everything is paused: it waits for its owner again."""
    if claim.hold == "kill_switch":
        return Stop("kill_switch", "Everything was paused before it could be sent.", final=False)
    return None


def suspended(claim: Claim, now: datetime) -> Stop | None:
    """A moderator's suspension, mute or restriction, or a thought from before a suspension."""
    if claim.hold in {"suspended", "muted"}:
        return Stop("suspended", "The agent was suspended or muted.", final=True)
    if claim.kind in claim.restricted:
        return Stop(
            "suspended", f"The agent may not send a {claim.kind} at the moment.", final=True
        )
    if claim.draft_epoch != claim.epoch:
        return Stop("suspended", "It was proposed before a suspension.", final=True)
    return None


def paused(claim: Claim, now: datetime) -> Stop | None:
    """The owner paused the agent: it waits for its owner again."""
    if claim.agent_status == "paused":
        return Stop("paused", "The agent was paused before it could be sent.", final=False)
    if claim.agent_status not in {"trial", "live"}:
        return Stop("paused", "The agent is no longer there.", final=True)
    return None


def expired(claim: Claim, now: datetime) -> Stop | None:
    """Too old, or the conversation has moved on from an undecided reply."""
    if claim.expires_at <= now:
        return Stop("expired", "It expired before it could be sent.", final=True)
    if claim.stale and not claim.decided_by_owner:
        return Stop("expired", "The conversation moved on before it could be sent.", final=True)
    return None


def budget(claim: Claim, now: datetime) -> Stop | None:
    """The day's money is spent: it waits for its owner again. Fixed notices are free."""
    if not claim.budget_left and not claim.is_notice:
        return Stop("budget", "The day's budget is spent.", final=False)
    return None


def target_gone(claim: Claim, now: datetime) -> Stop | None:
    """The room, or the message it answers, is not there any more."""
    if claim.room_gone:
        return Stop("target_gone", "The room is gone.", final=True)
    if claim.needs_target and not claim.target_there:
        return Stop("target_gone", "The message it answers was deleted.", final=True)
    return None


def left_alone(claim: Claim, now: datetime) -> Stop | None:
    """The room, or who is answered or mentioned, asked for quiet, or whom it answers has left."""
    return Stop("left_alone", claim.left_alone, final=True) if claim.left_alone else None


def membership_left(claim: Claim, now: datetime) -> Stop | None:
    """The agent is not, or not actively, in the room."""
    if claim.answers_moderator and claim.membership == "muted":
        return None
    if claim.membership != "active":
        return Stop("membership_left", "The agent is not active in that room.", final=True)
    return None


GATES = (
    kill_switch,
    suspended,
    paused,
    expired,
    target_gone,
    membership_left,
    left_alone,
    budget,
)


def first_stop(claim: Claim, *, now: datetime) -> Stop | None:
    """Return the first gate's no, or None when every gate lets it pass."""
    for gate in GATES:
        stop = gate(claim, now)
        if stop is not None:
            return stop
    return None


def is_stale(*, kind: str, stale_at: datetime | None, newer: int, now: datetime) -> bool:
    """Return whether a chat reply has been overtaken. Other kinds are only marked late."""
    if kind != "message" or stale_at is None:
        return False
    return now >= stale_at or newer >= STALE_AFTER_MESSAGES


def selectable(kinds: Iterable[str]) -> bool:
    """Return whether drafts of these kinds may be decided together."""
    return set(kinds) <= {"message", "post", "comment", "reaction"}


def tells_of_asking(metadata: Mapping[str, object]) -> bool:
    """Say whether a draft is the host's own line about what somebody asked for."""
    return metadata.get("notice") is True and metadata.get("code") in TELLING
