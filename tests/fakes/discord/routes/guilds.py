"""Guilds, their members and their places."""

from __future__ import annotations

from tests.fakes.discord import intents, shapes
from tests.fakes.discord.calls import Answer, Call, route
from tests.fakes.discord.model import Guild
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import MISSING_ACCESS, UNKNOWN_MEMBER, Refused


def _guild(call: Call) -> Guild:
    return call.site.world.guild_for(call.app, call.number("guild"))


@route("GET /guilds/{guild}")
def guild(call: Call) -> Answer:
    return Answer(shapes.guild(_guild(call)))


@route("GET /guilds/{guild}/channels")
def channels(call: Call) -> Answer:
    places = [one for one in _guild(call).channels.values() if not one.is_thread]
    seen = [one for one in places if may(call.app.user, one, "view_channel")]
    return Answer([shapes.channel(one, call.app.user) for one in seen])


@route("GET /guilds/{guild}/threads/active")
def active_threads(call: Call) -> Answer:
    found = call.site.world.threads_of(_guild(call), call.app.user)
    live = [one for one in found if not one.archived]
    me = call.app.user
    return Answer(
        {
            "threads": [shapes.channel(one, me) for one in live],
            "members": [shapes.thread_member(one, me) for one in live if me.id in one.joined],
            "has_more": False,
        }
    )


@route("GET /guilds/{guild}/members")
def members(call: Call) -> Answer:
    if not call.app.enabled & intents.MEMBERS:
        raise Refused(*MISSING_ACCESS)
    after = int(call.query.get("after", 0))
    found = sorted(_guild(call).members.values(), key=lambda one: one.user.id)
    page = [one for one in found if one.user.id > after][: int(call.query.get("limit", 1))]
    return Answer([shapes.member(one) for one in page])


@route("GET /guilds/{guild}/members/{user}")
def member(call: Call) -> Answer:
    found = _guild(call).members.get(call.number("user"))
    if found is None:
        raise Refused(*UNKNOWN_MEMBER)
    return Answer(shapes.member(found))


@route("PATCH /guilds/{guild}/members/@me")
def rename_me(call: Call) -> Answer:
    mine = _guild(call).members[call.app.id]
    mine.nick = call.body.get("nick")
    return Answer(shapes.member(mine))


@route("GET /guilds/{guild}/roles")
def roles(call: Call) -> Answer:
    return Answer([shapes.role_of_everyone(_guild(call))])
