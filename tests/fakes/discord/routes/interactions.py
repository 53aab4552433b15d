"""Answers to commands and buttons. Their token stands in the path; no bot's token is needed."""

from __future__ import annotations

from typing import Any

from tests.fakes.discord import message_shapes
from tests.fakes.discord.calls import NOTHING, Answer, Call, route
from tests.fakes.discord.model import EPHEMERAL, LOADING, Interaction, Message
from tests.fakes.discord.shapes import Viewer

_HOOK = "/webhooks/{app}/{token}"


def _shown(call: Call, one: Interaction, message: Message) -> dict[str, Any]:
    return message_shapes.message(message, Viewer(one.app.user, True), call.site.speech.cdn)


@route("POST /interactions/{interaction}/{token}/callback", is_open=True)
def answer(call: Call) -> Answer:
    one = call.site.commands.open(call.number("interaction"), call.params["token"])
    kind, data = call.body["type"], call.body.get("data") or {}
    call.site.commands.answer(one, kind, data, call.words(one.channel, data))
    if call.query.get("with_response") not in {"1", "true"}:
        return NOTHING
    return Answer(_callback(call, one, kind))


def _callback(call: Call, one: Interaction, kind: int) -> dict[str, Any]:
    told: dict[str, Any] = {"id": str(one.id), "type": one.type}
    resource: dict[str, Any] = {"type": kind}
    if one.original is not None:
        told["response_message_id"] = str(one.original.id)
        told["response_message_loading"] = bool(one.original.flags & LOADING)
        told["response_message_ephemeral"] = bool(one.original.flags & EPHEMERAL)
        resource["message"] = _shown(call, one, one.original)
    return {"interaction": told, "resource": resource}


def _by_token(call: Call) -> Interaction:
    return call.site.commands.by_token(call.number("app"), call.params["token"])


@route(f"POST {_HOOK}", is_open=True)
def follow_up(call: Call) -> Answer:
    one = _by_token(call)
    words = call.words(one.channel, call.body)
    return Answer(_shown(call, one, call.site.commands.follow_up(one, words)))


@route(f"GET {_HOOK}/messages/{{message}}", is_open=True)
def read(call: Call) -> Answer:
    one = _by_token(call)
    found = call.site.commands.answer_named(one, call.params["message"])
    return Answer(_shown(call, one, found))


@route(f"PATCH {_HOOK}/messages/{{message}}", is_open=True)
def rewrite(call: Call) -> Answer:
    one = _by_token(call)
    found = call.site.commands.answer_named(one, call.params["message"])
    return Answer(_shown(call, one, call.site.commands.rewrite(found, call.body)))


@route(f"DELETE {_HOOK}/messages/{{message}}", is_open=True)
def withdraw(call: Call) -> Answer:
    one = _by_token(call)
    found = call.site.commands.answer_named(one, call.params["message"])
    call.site.commands.withdraw(one, found)
    return NOTHING
