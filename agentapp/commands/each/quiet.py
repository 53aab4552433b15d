"""`/quiet`: no agent answers or mentions whoever asks in this room; of who looks after it, nobody.

In a direct room it is the room, too.
"""

from __future__ import annotations

from datetime import timedelta

from agentapp.commands.shapes import Asked, Command, Option, OptionKind, Phrase, Said
from agentapp.drafts.services import withdraw_to
from agentapp.foundation import clock
from agentapp.identity.models import Room
from agentapp.intake.places import Whereabouts, locked_room
from agentapp.moderation.orders import hours_in_words
from agentapp.relations.services import begin_quiet, end_quiet

MAX_HOURS = 24 * 365


def _quiet(asked: Asked) -> Said:
    at = Whereabouts(asked.call.workspace_id, asked.call.platform)
    room = asked.room or locked_room(at=at, place=asked.call.place)
    is_whole = asked.is_direct or (asked.call.is_moderator and "me" not in asked.call.options)
    if "off" in asked.call.options:
        return _off(asked, room, is_whole=is_whole)
    hours = asked.call.options.get("hours")
    now = clock.now()
    since = min(asked.call.at or now, now)
    until = since + timedelta(hours=float(hours)) if hours else None
    if until is not None and until <= now:
        return Said("", is_done=False)  # it was over before it could be read
    how_long = f" for {hours_in_words(float(hours))}" if hours else ""
    if is_whole:
        begin_quiet(room=room, person=None, until=until, by=asked.handle)
        return Said(
            f"No agent says anything here{how_long or ' from now on'}. `/quiet off` takes it back.",
            is_public=not asked.is_direct,
        )
    begin_quiet(room=room, person=asked.person, until=until, by=asked.handle)
    withdraw_to(people=[asked.person.pk], rooms=[room.pk], reason="They asked to be left alone.")
    words = (
        f"No agent answers or mentions you here{how_long or ' from now on'}. "
        "`/quiet off` takes it back, `/stop` is for everywhere."
    )
    return Said(words, in_room=words)


def _off(asked: Asked, room: Room, *, is_whole: bool) -> Said:
    is_room = is_whole and end_quiet(room=room, person=None, by=asked.handle)
    is_own = end_quiet(room=room, person=asked.person, by=asked.handle)
    if is_room:
        return Said("Agents may talk here again.", is_public=not asked.is_direct)
    words = "You are answered here again." if is_own else "It was not quiet here on your account."
    return Said(words, in_room=words)


COMMAND = Command(
    name="quiet",
    description="No agent answers or mentions you in this room, for some hours or until off.",
    carry_out=_quiet,
    options=(
        Option("hours", "For how many hours", OptionKind.HOURS, least=1 / 60, most=MAX_HOURS),
        Option("off", "Take it back", OptionKind.FLAG),
        Option("me", "If you look after the room: only you, not everybody", OptionKind.FLAG),
    ),
    phrases=(
        Phrase("en", "be quiet"),
        Phrase("en", "quiet please"),
        Phrase("de", "sei still"),
        Phrase("de", "bitte sei still"),
        Phrase("fr", "tais-toi"),
        Phrase("es", "cállate"),
    ),
)
