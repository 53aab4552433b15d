"""Reactions of bots. Emoji stand in the path, percent-encoded."""

from __future__ import annotations

from urllib.parse import unquote

from tests.fakes.discord import shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.refusals import Refused

UNKNOWN_EMOJI = (400, 10014, "Unknown Emoji")
TOO_MANY = (400, 30010, "Maximum number of reactions reached (20)")
MOST = 20


def _emoji(call: Call) -> str:
    emoji = unquote(call.params["emoji"])
    # Custom emoji are name:id; everything else has to be a character beyond ASCII.
    if emoji.isascii() and ":" not in emoji:
        raise Refused(*UNKNOWN_EMOJI)
    return emoji


@route("PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me")
def add(call: Call) -> Answer:
    message, emoji = call.message(), _emoji(call)
    if emoji not in message.reactions:
        call.needs(message.channel, "add_reactions")
        if len(message.reactions) >= MOST:
            raise Refused(*TOO_MANY)
    call.site.speech.react(message, call.app.user, emoji)
    return NOTHING


@route("DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/@me")
def remove(call: Call) -> Answer:
    call.site.speech.unreact(call.message(), call.app.user, _emoji(call))
    return NOTHING


@route("GET /channels/{channel}/messages/{message}/reactions/{emoji}")
def who(call: Call) -> Answer:
    people = call.message().reactions.get(_emoji(call), [])
    return Answer([shapes.user(one) for one in people])
