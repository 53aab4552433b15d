"""Whether an agent answers, reacts, takes note or lets it pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from agentapp.engine.rules.addressing import Meant, how, meant_for
from agentapp.engine.rules.views import Action, Decision, Line, Relevance, View
from agentapp.identity.limits import Limit
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
    the same burst is covered by that answer. One answer is for one person: where a second one asks
    too, the burst ends before that, and the rest is decided next. Counts and caps come before who
    was meant, so that nothing which is filtered later escapes them.

    Returns:
        None when there is nothing to decide on.
    """
    if not view.lines:
        return None
    meant = {line.id: meant_for(line, mind=view.mind, place=view.place) for line in view.lines}
    mine = [line for line in view.lines if meant[line.id] is Meant.ME]
    if mine:
        return _for_one_asker(view, mine)
    free = [line for line in view.lines if meant[line.id] is Meant.NOBODY]
    trigger = (free or list(view.lines))[-1]
    stop = _stop(view, trigger)
    if stop is not None:
        return _ignore(trigger, stop)
    if not free:
        words = f"{trigger.author_name} was speaking to somebody else."
        return _ignore(trigger, _no("addressed_elsewhere", words))
    return _unaddressed(view, free)


def without_money(decision: Decision) -> Decision:
    """Turn a decision to speak into silence because the day's budget is spent."""
    words = "Today's budget is used up."
    silence = _ignore(
        decision.trigger, _no("budget_exhausted", words), addressed=decision.addressed
    )
    return replace(silence, through=decision.through)


def while_money_is_low(decision: Decision) -> Decision:
    """Near the end of the budget only messages meant for the agent are answered."""
    if decision.addressed:
        return decision
    words = "Little of today's budget is left, so only those who ask are answered."
    return _ignore(decision.trigger, _no("budget_low", words))


def taken_by_another(decision: Decision) -> Decision:
    """Another agent has taken the message."""
    return _ignore(decision.trigger, _no("taken", "Another agent here took this message."))


def _for_one_asker(view: View, mine: list[Line]) -> Decision:
    others = [line for line in mine if line.author_id != mine[0].author_id]
    through = others[0].id - 1 if others else 0
    own = [line for line in mine if not others or line.id <= through]
    stop = _stop(view, own[-1])
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
        return _ignore(trigger, _no("may_not_write", words), addressed=True)
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
        return _ignore(trigger, _no("agent_to_nobody", words))
    keyword = _keyword(trigger.text, view.mind.interests)
    if view.place.dial != "joins":
        if keyword:
            return _notice(trigger, f"It is about {keyword}, and nobody asked {view.mind.name}.")
        return _ignore(trigger, _no("not_asked", "Here agents speak only when asked."))
    found = view.relevance.get(trigger.id)
    if found is None and not keyword:
        return Decision(
            Action.IGNORE,
            "not_compared",
            trigger,
            (_no("not_compared", "It could not be compared with what the agent cares about."),),
            wants_relevance=True,
        )
    return _by_relevance(view, free, found or Relevance(keyword=keyword))


def _by_relevance(view: View, free: list[Line], found: Relevance) -> Decision:
    trigger, mind = free[-1], view.mind
    keyword = found.keyword or _keyword(trigger.text, mind.interests)
    joins = bool(keyword) or found.similarity >= mind.limit("join_similarity").value
    if not joins and found.similarity < mind.limit("notice_similarity").value:
        words = f"It is about nothing {mind.name} cares for."
        return _ignore(trigger, _no("not_relevant", words))
    about = f"It is about {keyword}." if keyword else f"It is close to what {mind.name} likes."
    stop = _first(_UNASKED_CAPS, view, trigger)
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


Check = Callable[[View, Line], Reason | None]


def _held(view: View, _trigger: Line) -> Reason | None:
    if not view.mind.hold:
        return None
    return _no(view.mind.hold, view.mind.hold_reason or "Everything is paused.")


def _present(view: View, _trigger: Line) -> Reason | None:
    words = {
        "": f"{view.mind.name} is not in this room.",
        "quarantined": f"{view.mind.name} stays silent here until it is let in.",
        "muted": f"{view.mind.name} is muted in this room.",
        "inactive": f"{view.mind.name} is suspended from this room.",
    }.get(view.mind.membership)
    return _no(f"membership_{view.mind.membership or 'none'}", words) if words else None


def _awake(view: View, _trigger: Line) -> Reason | None:
    if view.mind.status in {"trial", "live"}:
        return None
    return _no(f"agent_{view.mind.status}", f"{view.mind.name} is {view.mind.status}.")


def _open(view: View, _trigger: Line) -> Reason | None:
    return None if view.place.is_open else _no("room_closed", "No agents speak in this room.")


def _not_silent(view: View, _trigger: Line) -> Reason | None:
    if view.place.dial != "silent":
        return None
    return _no("room_silent", "The room is set to silent.")


def _chain(view: View, trigger: Line) -> Reason | None:
    """Agents that answer agents: every answer since a human spoke counts, sent or not."""
    limit = view.mind.limit("agent_chain")
    run = max(view.agent_run, view.spoken.answers_without_human)
    if trigger.is_human or run < limit.value:
        return None
    return _cap("agent_chain", f"{run} agents have spoken in a row", limit)


def _without_human(view: View, _trigger: Line) -> Reason | None:
    limit = view.mind.limit("agent_turns_without_human")
    if view.spoken.without_human < limit.value:
        return None
    count = view.spoken.without_human
    return _cap("no_human", f"Agents had {count} turns here since a human spoke", limit)


def _room_cap(view: View, _trigger: Line) -> Reason | None:
    limit = view.mind.limit("room_turns_10min")
    if view.spoken.room_10min < limit.value:
        return None
    return _cap("room_cap", f"Agents gave {view.spoken.room_10min} answers in 10 minutes", limit)


def _person_cap(view: View, trigger: Line) -> Reason | None:
    if trigger.person_id is None:
        return None
    soon, today = view.spoken.to_person.get((view.mind.id, trigger.person_id), (0, 0))
    name = trigger.author_name
    for count, key, span in (
        (soon, "person_turns_10min", "10 minutes"),
        (today, "person_turns_day", "a day"),
    ):
        limit = view.mind.limit(key)
        if count >= limit.value:
            return _cap("person_cap", f"{name} was answered {count} times within {span}", limit)
    return None


def _unasked_hour(view: View, _trigger: Line) -> Reason | None:
    limit = view.mind.limit("unaddressed_turns_hour")
    count = view.spoken.unaddressed_hour.get(view.mind.id, 0)
    if count < limit.value:
        return None
    return _cap("unaddressed_cap", f"It joined in {count} times within an hour", limit)


def _unasked_share(view: View, _trigger: Line) -> Reason | None:
    share, window = view.mind.limit("unaddressed_share"), view.mind.limit("unaddressed_window")
    count = view.spoken.unaddressed_window.get(view.mind.id, 0)
    if count + 1 <= share.value * window.value:
        return None
    words = f"It joined in on {count} of the last {window.value:g} messages"
    return _cap("unaddressed_share", words, share)


_GATES: tuple[Check, ...] = (_held, _present, _awake, _open)
_CAPS: tuple[Check, ...] = (_chain, _without_human, _room_cap, _person_cap, _not_silent)
_UNASKED_CAPS: tuple[Check, ...] = (_unasked_hour, _unasked_share)


def _stop(view: View, trigger: Line) -> Reason | None:
    return _first(_GATES, view, trigger) or _first(_CAPS, view, trigger)


def _first(checks: tuple[Check, ...], view: View, trigger: Line) -> Reason | None:
    for check in checks:
        reason = check(view, trigger)
        if reason is not None:
            return reason
    return None


def _no(code: str, words: str) -> Reason:
    return Reason(Weight.NO, code, words)


def _cap(code: str, words: str, limit: Limit) -> Reason:
    return _no(code, f"{words} (limit {limit.value:g}, set by the {limit.layer}).")


def _ignore(trigger: Line, reason: Reason, *, addressed: bool = False) -> Decision:
    return Decision(Action.IGNORE, reason.code, trigger, (reason,), addressed=addressed)


def _notice(trigger: Line, words: str, *more: Reason) -> Decision:
    note = Reason(Weight.NOTE, "noticed", words)
    return Decision(Action.NOTICE, "noticed", trigger, (note, *more))
