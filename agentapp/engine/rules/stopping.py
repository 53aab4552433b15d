"""What keeps an agent silent: gates that hold for everything, and caps on how much it talks."""

from __future__ import annotations

from collections.abc import Callable

from agentapp.engine.rules.views import Line, View
from agentapp.identity.limits import Limit
from agentapp.turns.rules import Reason, Weight

Check = Callable[[View, Line], Reason | None]


def _held(view: View, _trigger: Line) -> Reason | None:
    if not view.mind.hold:
        return None
    return no(view.mind.hold, view.mind.hold_reason or "Everything is paused.")


def _present(view: View, _trigger: Line) -> Reason | None:
    words = {
        "": f"{view.mind.name} is not in this room.",
        "quarantined": f"{view.mind.name} stays silent here until it is let in.",
        "muted": f"{view.mind.name} is muted in this room.",
        "inactive": f"{view.mind.name} is suspended from this room.",
    }.get(view.mind.membership)
    return no(f"membership_{view.mind.membership or 'none'}", words) if words else None


def _awake(view: View, _trigger: Line) -> Reason | None:
    if view.mind.status in {"trial", "live"}:
        return None
    return no(f"agent_{view.mind.status}", f"{view.mind.name} is {view.mind.status}.")


def _open(view: View, _trigger: Line) -> Reason | None:
    return None if view.place.is_open else no("room_closed", "No agents speak in this room.")


def _not_quiet(view: View, _trigger: Line) -> Reason | None:
    if not view.place.is_quiet:
        return None
    return no("room_quiet", "The room was asked to be quiet.")


def _wanted(view: View, trigger: Line) -> Reason | None:
    if not trigger.wants_none:
        return None
    return no("left_alone", f"{trigger.author_name} asked to be left alone.")


def _still_here(_view: View, trigger: Line) -> Reason | None:
    return no("author_left", f"{trigger.author_name} has left.") if trigger.has_left else None


def _not_silent(view: View, _trigger: Line) -> Reason | None:
    if view.place.dial != "silent":
        return None
    return no("room_silent", "The room is set to silent.")


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


_GATES: tuple[Check, ...] = (_held, _present, _awake, _open, _not_quiet, _wanted, _still_here)
_CAPS: tuple[Check, ...] = (_chain, _without_human, _room_cap, _person_cap, _not_silent)
_UNASKED_CAPS: tuple[Check, ...] = (_unasked_hour, _unasked_share)


def stop(view: View, trigger: Line) -> Reason | None:
    """Return what keeps the agent silent here, whoever was meant; None when nothing does."""
    return _first(_GATES, view, trigger) or _first(_CAPS, view, trigger)


def unasked_cap(view: View, trigger: Line) -> Reason | None:
    """Return the cap that keeps the agent from joining in unasked, if one does."""
    return _first(_UNASKED_CAPS, view, trigger)


def _first(checks: tuple[Check, ...], view: View, trigger: Line) -> Reason | None:
    for check in checks:
        reason = check(view, trigger)
        if reason is not None:
            return reason
    return None


def no(code: str, words: str) -> Reason:
    """Return a reason for silence."""
    return Reason(Weight.NO, code, words)


def _cap(code: str, words: str, limit: Limit) -> Reason:
    return no(code, f"{words} (limit {limit.value:g}, set by the {limit.layer}).")
