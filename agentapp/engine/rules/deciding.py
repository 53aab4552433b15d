"""Whether an agent answers, reacts, takes note or lets it pass."""

from __future__ import annotations

import re
from dataclasses import replace

from agentapp.engine.rules import stopping
from agentapp.engine.rules.addressing import Meant, how, meant_for
from agentapp.engine.rules.freshness import is_fresh, too_late
from agentapp.engine.rules.stopping import no
from agentapp.engine.rules.views import Action, Decision, Line, Relevance, View
from agentapp.turns.rules import Reason, Weight

_THANKS = re.compile(
    r"\W*(?:(?:many\s+)?thanks|thank\s+you|thx|ty|cheers|danke(?:\s*sch(?:ö|oe)n)?|merci|gracias)"
    r"(?:\s+(?:so\s+much|very\s+much|a\s+lot|you|all|dir|vielmals))?\W*",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"\W*(?:good\s*night|bye(?:\s*bye)?|see\s+you(?:\s+(?:later|soon|tomorrow))?|gute\s+nacht|"
    r"tsch(?:ü|ue)ss)\W*",
    re.IGNORECASE,
)
_GESTURES = ((_THANKS, "❤️", "thanks"), (_FAREWELL, "👋", "a farewell"))
MAX_GESTURE = 60  # characters of a message that is nothing but a gesture


def decide(view: View) -> Decision | None:
    """Decide once on everything that was said since the last decision.

    The newest message meant for the agent is what it answers, and every other one meant for it in
    the same burst is covered by that answer, as long as it is fresh. One answer is for one person:
    where a second one asks too, the burst ends before that, and the rest is decided next. Counts
    and caps come before who was meant, so that nothing which is filtered later escapes them.

    Returns:
        None when there is nothing to decide on.
    """
    if not view.lines:
        return None
    meant = {line.id: meant_for(line, mind=view.mind, place=view.place) for line in view.lines}
    mine = [line for line in view.lines if meant[line.id] is Meant.ME]
    fresh = [line for line in mine if is_fresh(line, view=view)]
    if fresh:
        return _for_one_asker(view, fresh)
    if mine:
        return _ignore(mine[-1], no("too_late", too_late(mine[-1])), addressed=True)
    free = [line for line in view.lines if meant[line.id] is Meant.NOBODY]
    return _to_others(view, [line for line in free if not line.wants_none] or free)


def _to_others(view: View, free: list[Line]) -> Decision:
    trigger = (free or list(view.lines))[-1]
    stop = stopping.stop(view, trigger)
    if stop is None and not is_fresh(trigger, view=view):
        stop = no("too_late", too_late(trigger))
    if stop is not None:
        return _ignore(trigger, stop)
    if not free:
        words = f"{trigger.author_name} was speaking to somebody else."
        return _ignore(trigger, no("addressed_elsewhere", words))
    return _unaddressed(view, free)


def without_money(decision: Decision) -> Decision:
    """Turn a decision to speak into silence because the day's budget is spent."""
    words = "Today's budget is used up."
    silence = _ignore(decision.trigger, no("budget_exhausted", words), addressed=decision.addressed)
    return replace(silence, through=decision.through)


def while_money_is_low(decision: Decision) -> Decision:
    """Near the end of the budget only messages meant for the agent are answered."""
    if decision.addressed:
        return decision
    words = "Little of today's budget is left, so only those who ask are answered."
    return _ignore(decision.trigger, no("budget_low", words))


def taken_by_another(decision: Decision) -> Decision:
    """Another agent has taken the message."""
    return _ignore(decision.trigger, no("taken", "Another agent here took this message."))


def _for_one_asker(view: View, mine: list[Line]) -> Decision:
    others = [line for line in mine if line.author_id != mine[0].author_id]
    through = others[0].id - 1 if others else 0
    own = [line for line in mine if not others or line.id <= through]
    stop = stopping.stop(view, own[-1])
    if stop is not None:
        return replace(_ignore(own[-1], stop, addressed=True), through=through)
    return replace(_addressed(view, own), through=through)


def _addressed(view: View, mine: list[Line]) -> Decision:
    trigger = mine[-1]
    why = Reason(Weight.YES, "addressed", how(trigger, mind=view.mind, place=view.place))
    gesture = _gesture(trigger, view) if len(mine) == 1 else None
    if gesture is not None:
        emoji, note = gesture
        return Decision(Action.REACT, "gesture", trigger, (why, note), addressed=True, emoji=emoji)
    if "message" not in view.mind.capabilities:
        words = f"{view.mind.name} may not write messages."
        return _ignore(trigger, no("may_not_write", words), addressed=True)
    return Decision(
        Action.RESPOND,
        "addressed",
        trigger,
        (why,),
        addressed=True,
        covers=tuple(line.id for line in mine),
    )


def _unaddressed(view: View, free: list[Line]) -> Decision:
    trigger = free[-1]
    if not trigger.is_human:
        words = "Agents answer agents only when they are spoken to."
        return _ignore(trigger, no("agent_to_nobody", words))
    keyword = _keyword(trigger.text, view.mind.interests)
    if view.place.dial != "joins":
        if keyword:
            return _notice(trigger, f"It is about {keyword}, and nobody asked {view.mind.name}.")
        return _ignore(trigger, no("not_asked", "Here agents speak only when asked."))
    found = view.relevance.get(trigger.id)
    if found is None and not keyword:
        return Decision(
            Action.IGNORE,
            "not_compared",
            trigger,
            (no("not_compared", "It could not be compared with what the agent cares about."),),
            wants_relevance=True,
        )
    return _by_relevance(view, free, found or Relevance(keyword=keyword))


def _by_relevance(view: View, free: list[Line], found: Relevance) -> Decision:
    trigger, mind = free[-1], view.mind
    keyword = found.keyword or _keyword(trigger.text, mind.interests)
    joins = bool(keyword) or found.similarity >= mind.limit("join_similarity").value
    if not joins and found.similarity < mind.limit("notice_similarity").value:
        words = f"It is about nothing {mind.name} cares for."
        return _ignore(trigger, no("not_relevant", words))
    about = f"It is about {keyword}." if keyword else f"It is close to what {mind.name} likes."
    stop = stopping.unasked_cap(view, trigger)
    if joins and stop is None and "message" in mind.capabilities:
        return Decision(
            Action.RESPOND,
            "joins",
            trigger,
            (Reason(Weight.YES, "joins", about),),
            claims=tuple(line.id for line in free),
        )
    return _notice(trigger, about, *([stop] if stop else []))


def _gesture(line: Line, view: View) -> tuple[str, Reason] | None:
    """Return the emoji that answers a message which is nothing but thanks or a farewell."""
    if "reaction" not in view.mind.capabilities or len(line.text) > MAX_GESTURE:
        return None
    limit = view.mind.limit("reactions_hour")
    if view.spoken.reactions_hour.get(view.mind.id, 0) >= limit.value:
        return None
    bare = re.sub(rf"@?\b{re.escape(view.mind.name)}\b", " ", line.text, flags=re.IGNORECASE)
    for pattern, emoji, what in _GESTURES:
        if pattern.fullmatch(bare):
            return emoji, Reason(Weight.NOTE, "gesture", f"For {what} an emoji is enough.")
    return None


def _keyword(text: str, interests: tuple[str, ...]) -> str:
    """Return the first interest that a text names as a word of its own."""
    folded = text.casefold()
    for interest in interests:
        if re.search(rf"(?<!\w){re.escape(interest.casefold())}(?!\w)", folded):
            return interest
    return ""


def _ignore(trigger: Line, reason: Reason, *, addressed: bool = False) -> Decision:
    return Decision(Action.IGNORE, reason.code, trigger, (reason,), addressed=addressed)


def _notice(trigger: Line, words: str, *more: Reason) -> Decision:
    note = Reason(Weight.NOTE, "noticed", words)
    return Decision(Action.NOTICE, "noticed", trigger, (note, *more))
