"""Threads and posts in forums."""

from __future__ import annotations

from tests.fakes.discord import shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.model import FORUM, PRIVATE_THREAD, PUBLIC_THREAD, Channel
from tests.fakes.discord.permissions import may
from tests.fakes.discord.routes.messages import shown


@route("POST /channels/{channel}/messages/{message}/threads")
def on_message(call: Call) -> Answer:
    message = call.message()
    call.needs(message.channel, "create_public_threads")
    thread = call.site.speech.thread_on(message, call.body["name"], call.app.user)
    return Answer(shapes.channel(thread, call.app.user), 201)


@route("POST /channels/{channel}/threads")
def in_channel(call: Call) -> Answer:
    """Open a thread; in a forum, with its first message."""
    place = call.place()
    if place.type == FORUM:
        return _post(call, place)
    kind = call.body.get("type", PRIVATE_THREAD)
    public = kind == PUBLIC_THREAD
    call.needs(place, "create_public_threads" if public else "create_private_threads")
    thread = call.site.speech.thread_in(place, call.body["name"], call.app.user, kind)
    return Answer(shapes.channel(thread, call.app.user), 201)


def _post(call: Call, forum: Channel) -> Answer:
    call.needs(forum, "send_messages")
    words = call.words(forum, call.body["message"])
    thread = call.site.speech.post(forum, call.body["name"], call.app.user, words)
    told = shapes.channel(thread, call.app.user)
    return Answer(told | {"message": shown(call, thread.messages[thread.id])}, 201)


@route("PUT /channels/{channel}/thread-members/@me")
def join(call: Call) -> Answer:
    call.place().joined.add(call.app.id)
    return NOTHING


@route("DELETE /channels/{channel}/thread-members/@me")
def leave(call: Call) -> Answer:
    call.place().joined.discard(call.app.id)
    return NOTHING


@route("GET /channels/{channel}/threads/archived/public")
def archived(call: Call) -> Answer:
    """Return the archived threads of a channel, the newest first, on one page."""
    place, me = call.place(), call.app.user
    assert place.guild is not None
    seen = [
        one
        for one in place.guild.channels.values()
        if one.parent is place and one.archived and may(me, one, "view_channel")
    ]
    return Answer(
        {
            "threads": [shapes.channel(one, me) for one in reversed(seen)],
            "members": [shapes.thread_member(one, me) for one in seen if me.id in one.joined],
            "has_more": False,
        }
    )
