"""Messages: reading the past, saying, editing, deleting."""

from __future__ import annotations

from typing import Any

from tests.fakes.discord import message_shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.model import DM, FORUM, Channel, Message
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import (
    CANNOT_READ_HISTORY,
    DM_REFUSED,
    MISSING_PERMISSIONS,
    NOT_IN_THIS_TYPE,
    NOT_YOURS,
    THREAD_ARCHIVED,
    Refused,
    invalid,
)
from tests.fakes.discord.speech import may_say

MOST_AT_ONCE = 100


def shown(call: Call, message: Message) -> dict[str, Any]:
    return message_shapes.message(message, call.viewer, call.site.speech.cdn)


@route("GET /channels/{channel}/messages")
def history(call: Call) -> Answer:
    """Return one page, newest first whatever it was asked by."""
    place = call.place()
    limit = int(call.query.get("limit", 50))
    if not 1 <= limit <= MOST_AT_ONCE:
        raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
    if not may(call.app.user, place, "read_message_history"):
        return Answer([])
    page = _page(list(place.messages.values()), call, limit)
    return Answer([shown(call, one) for one in reversed(page)])


def _page(messages: list[Message], call: Call, limit: int) -> list[Message]:
    """Return the page that was asked for, oldest first."""
    around, after = call.query.get("around"), call.query.get("after")
    if around is not None:
        before = [one for one in messages if one.id < int(around)]
        rest = [one for one in messages if one.id >= int(around)]
        return before[-(limit // 2) :] + rest[: limit - limit // 2]
    if after is not None:
        return [one for one in messages if one.id > int(after)][:limit]
    before_id = int(call.query.get("before", 0))
    return [one for one in messages if not before_id or one.id < before_id][-limit:]


@route("GET /channels/{channel}/messages/{message}")
def message(call: Call) -> Answer:
    return Answer(shown(call, call.message()))


@route("POST /channels/{channel}/messages")
def say(call: Call) -> Answer:
    place = call.place()
    _check_door(call, place)
    answers = _answered(call, place)
    body = call.body or {}
    if body.get("enforce_nonce"):
        before = call.site.speech.said_before(call.app.user, body.get("nonce"))
        if before is not None:
            return Answer(_with_nonce(call, before))
    words = call.words(place, body, answers)
    said = call.site.speech.say(place, call.app.user, words)
    return Answer(_with_nonce(call, said))


def _with_nonce(call: Call, message: Message) -> dict[str, Any]:
    """Return a message with its nonce, which only its sender is told, and only now."""
    told = shown(call, message)
    return told | ({"nonce": message.nonce} if message.nonce is not None else {})


def _check_door(call: Call, place: Channel) -> None:
    if place.type == FORUM:
        raise Refused(*NOT_IN_THIS_TYPE)
    if place.locked:
        raise Refused(*THREAD_ARCHIVED)
    if not may_say(call.site.world, place, call.app.user):
        raise Refused(*(DM_REFUSED if place.type == DM else MISSING_PERMISSIONS))
    if call.uploads:
        call.needs(place, "attach_files")


def _answered(call: Call, place: Channel) -> Message | None:
    pointer = (call.body or {}).get("message_reference")
    if not pointer:
        return None
    if not may(call.app.user, place, "read_message_history"):
        raise Refused(*CANNOT_READ_HISTORY)
    found = place.messages.get(int(pointer["message_id"]))
    if found is None and pointer.get("fail_if_not_exists", True):
        raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return found


@route("PATCH /channels/{channel}/messages/{message}")
def edit(call: Call) -> Answer:
    one = call.message()
    if one.author is not call.app.user:
        raise Refused(*NOT_YOURS)
    changes = dict(call.body or {})
    kept = {str(file["id"]) for file in changes.get("attachments") or []}
    if "attachments" in changes or call.uploads:
        old = [file for file in one.files if str(file.id) in kept]
        changes["files"] = old + call.files(one.channel, changes)
    call.site.speech.edit(one, changes)
    return Answer(shown(call, one))


@route("DELETE /channels/{channel}/messages/{message}")
def delete(call: Call) -> Answer:
    one = call.message()
    if one.author is not call.app.user:
        call.needs(one.channel, "manage_messages")
    call.site.speech.delete(one)
    return NOTHING
