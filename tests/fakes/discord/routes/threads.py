"""Threads and posts in forums."""

from __future__ import annotations

from tests.fakes.discord import shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.clock import read
from tests.fakes.discord.model import FORUM, PRIVATE_THREAD, PUBLIC_THREAD, Channel
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import invalid
from tests.fakes.discord.routes.messages import shown

FEWEST, MOST_AT_ONCE = 2, 100


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
    """Return a page of a channel's archived threads, the last archived first."""
    before = call.query.get("before")
    found = [one for one in _archived(call) if not one.is_private_thread]
    found.sort(key=_archived_at, reverse=True)
    return _page(call, [one for one in found if not before or _archived_at(one) < read(before)])


@route("GET /channels/{channel}/users/@me/threads/archived/private")
def archived_private(call: Call) -> Answer:
    """Return a page of the archived private threads that the bot is in, the youngest first."""
    before = int(call.query.get("before", 0))
    found = [one for one in _archived(call) if one.is_private_thread and call.app.id in one.joined]
    found.sort(key=lambda one: one.id, reverse=True)
    return _page(call, [one for one in found if not before or one.id < before])


def _archived(call: Call) -> list[Channel]:
    place, me = call.place(), call.app.user
    assert place.guild is not None
    call.needs(place, "read_message_history")
    places = place.guild.channels.values()
    mine = [one for one in places if one.parent is place and one.archived]
    return [one for one in mine if may(me, one, "view_channel")]


def _archived_at(thread: Channel) -> float:
    return thread.archived_at or thread.made_at


def _page(call: Call, found: list[Channel]) -> Answer:
    limit = int(call.query.get("limit", MOST_AT_ONCE))
    if not FEWEST <= limit <= MOST_AT_ONCE:
        raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 2 and 100.")
    some, me = found[:limit], call.app.user
    return Answer(
        {
            "threads": [shapes.channel(one, me) for one in some],
            "members": [shapes.thread_member(one, me) for one in some if me.id in one.joined],
            "has_more": len(found) > limit,
        }
    )
