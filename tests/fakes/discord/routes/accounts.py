"""Bots about themselves, users, and where the gateway is."""

from __future__ import annotations

from tests.fakes.discord import shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.refusals import UNKNOWN_GUILD, UNKNOWN_USER, Refused

IDENTIFIES_A_DAY = 1000


@route("GET /users/@me")
def who_am_i(call: Call) -> Answer:
    return Answer(shapes.me(call.app.user))


@route("GET /users/{user}")
def user(call: Call) -> Answer:
    found = call.site.world.users.get(call.number("user"))
    if found is None:
        raise Refused(*UNKNOWN_USER)
    return Answer(shapes.user(found))


@route("GET /users/@me/guilds")
def my_guilds(call: Call) -> Answer:
    guilds = call.site.world.guilds_of(call.app)
    return Answer(
        [
            {
                "id": str(one.id),
                "name": one.name,
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": "0",
                "features": [],
            }
            for one in guilds
        ]
    )


@route("DELETE /users/@me/guilds/{guild}")
def leave(call: Call) -> Answer:
    guild = call.site.world.guilds.get(call.number("guild"))
    if guild is None or call.app.id not in guild.members:
        raise Refused(*UNKNOWN_GUILD)
    call.site.world.leave(guild, call.app.user)
    return NOTHING


@route("POST /users/@me/channels")
def open_dm(call: Call) -> Answer:
    world = call.site.world
    other = world.users.get(int(call.body["recipient_id"]))
    if other is None:
        raise Refused(*UNKNOWN_USER)
    place = world.dm(call.app.user, other)
    return Answer(shapes.channel(place, call.app.user))


@route("GET /applications/@me")
def application(call: Call) -> Answer:
    return Answer(shapes.application(call.app))


@route("PATCH /applications/@me")
def change_application(call: Call) -> Answer:
    """Only the flags of intents change here, as below the review threshold."""
    if "flags" in call.body:
        call.app.enabled = shapes.enabled_by(int(call.body["flags"]))
    return Answer(shapes.application(call.app))


@route("GET /oauth2/applications/@me")
def application_at_login(call: Call) -> Answer:
    return Answer(shapes.application(call.app))


@route("GET /gateway", is_open=True)
def gateway(call: Call) -> Answer:
    return Answer({"url": call.site.gateway_url()})


@route("GET /gateway/bot")
def gateway_of_bot(call: Call) -> Answer:
    limit = {
        "total": IDENTIFIES_A_DAY,
        "remaining": call.app.identifies_left,
        "reset_after": 86_400_000,
        "max_concurrency": 1,
    }
    told = {"url": call.site.gateway_url(), "shards": 1, "session_start_limit": limit}
    return Answer(told)
