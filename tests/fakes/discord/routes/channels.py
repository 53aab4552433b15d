"""Channels themselves: looking at them, changing them, typing in them."""

from __future__ import annotations

from tests.fakes.discord import shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.refusals import MISSING_PERMISSIONS, Refused
from tests.fakes.discord.speech import may_say


@route("GET /channels/{channel}")
def channel(call: Call) -> Answer:
    return Answer(shapes.channel(call.place(), call.app.user))


@route("PATCH /channels/{channel}")
def change(call: Call) -> Answer:
    """Rename a channel, or archive and lock a thread."""
    place = call.place()
    if place.owner is not call.app.user:
        call.needs(place, "manage_threads" if place.is_thread else "manage_channels")
    place.name = call.body.get("name", place.name)
    place.locked = call.body.get("locked", place.locked)
    if call.body.get("archived", place.archived) != place.archived:
        call.site.world.archive(place, archived=not place.archived)
    else:
        call.site.world.change_channel(place)
    return Answer(shapes.channel(place, call.app.user))


@route("DELETE /channels/{channel}")
def delete(call: Call) -> Answer:
    place = call.place()
    call.needs(place, "manage_threads" if place.is_thread else "manage_channels")
    told = shapes.channel(place, call.app.user)
    call.site.world.drop_channel(place)
    return Answer(told)


@route("POST /channels/{channel}/typing")
def typing(call: Call) -> Answer:
    place = call.place()
    if not may_say(call.site.world, place, call.app.user):
        raise Refused(*MISSING_PERMISSIONS)
    call.site.speech.type(place, call.app.user)
    return NOTHING
