"""The commands that a bot offers, everywhere or in one guild."""

from __future__ import annotations

from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.refusals import MISSING_ACCESS, UNKNOWN_COMMAND, Refused


def _scope(call: Call) -> int | None:
    """Return the guild of the path, if there is one; the application has to be the caller's."""
    if call.number("app") != call.app.id:
        raise Refused(*MISSING_ACCESS)
    if "guild" not in call.params:
        return None
    return call.site.world.guild_for(call.app, call.number("guild")).id


@route("GET /applications/{app}/commands")
@route("GET /applications/{app}/guilds/{guild}/commands")
def commands(call: Call) -> Answer:
    return Answer(call.app.commands.get(_scope(call), []))


@route("PUT /applications/{app}/commands")
@route("PUT /applications/{app}/guilds/{guild}/commands")
def replace(call: Call) -> Answer:
    return Answer(call.site.commands.register_all(call.app, _scope(call), call.body))


@route("POST /applications/{app}/commands")
@route("POST /applications/{app}/guilds/{guild}/commands")
def add(call: Call) -> Answer:
    return Answer(call.site.commands.register(call.app, _scope(call), call.body), 201)


@route("DELETE /applications/{app}/commands/{command}")
@route("DELETE /applications/{app}/guilds/{guild}/commands/{command}")
def remove(call: Call) -> Answer:
    kept = call.app.commands.get(_scope(call), [])
    found = next((one for one in kept if one["id"] == call.params["command"]), None)
    if found is None:
        raise Refused(*UNKNOWN_COMMAND)
    kept.remove(found)
    return NOTHING
