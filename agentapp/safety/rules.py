"""What holds, and what a text contains: pure decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agentapp.foundation.redaction import HIDDEN, redacted


@dataclass(frozen=True, slots=True)
class Flags:
    """One SafetyState row's flags."""

    scope: str
    is_stopped: bool
    suspended_until: datetime | None
    muted_until: datetime | None
    restricted: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing may leave at the moment.

    Attributes:
        kind: kill_switch, suspended or muted.
        until: When it ends by itself; None is open-ended.
    """

    kind: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A policy rule's phrase and what it does: block or ask."""

    text: str
    effect: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing the screen saw. `effect` is block or ask."""

    rule: str
    effect: str
    detail: str = ""


def hold(flags: Iterable[Flags], *, now: datetime) -> Hold | None:
    """Return what stops an agent now; the widest scope is named first.

    A timed suspension that has run out holds nothing, whether or not its tick has run.
    """
    by_scope = {row.scope: row for row in flags}
    for scope in ("host", "workspace"):
        row = by_scope.get(scope)
        if row and row.is_stopped:
            return Hold("kill_switch", row.reason or "Everything is paused.")
    agent = by_scope.get("agent")
    if agent is None:
        return None
    if agent.is_stopped and (agent.suspended_until is None or agent.suspended_until > now):
        return Hold("suspended", agent.reason or "Suspended.", agent.suspended_until)
    if agent.muted_until is not None and agent.muted_until > now:
        return Hold("muted", agent.reason or "Muted.", agent.muted_until)
    return None


# A model that repeats these shows people what was meant for it alone.
_INTERNAL = re.compile(r"<\|im_(start|end)\|>|</?untrusted\b|</?(system|memories|context)>", re.I)
_EVERYBODY = re.compile(r"(?<![\w@])@(everyone|here|room|channel|all)\b", re.I)


def screened(text: str, *, phrases: Iterable[Phrase]) -> list[Verdict]:
    """Return everything that speaks against sending a text; empty means nothing was found."""
    verdicts: list[Verdict] = []
    if HIDDEN not in text and HIDDEN in redacted(text):
        verdicts.append(Verdict("credential", "block", "looks like a key or token"))
    if _INTERNAL.search(text):
        verdicts.append(Verdict("internal_text", "block", "contains text meant for the model"))
    if match := _EVERYBODY.search(text):
        verdicts.append(Verdict("mass_mention", "ask", match.group(0)))
    folded = text.casefold()
    verdicts.extend(
        Verdict("phrase", phrase.effect, phrase.text)
        for phrase in phrases
        if phrase.text.casefold() in folded
    )
    return verdicts
