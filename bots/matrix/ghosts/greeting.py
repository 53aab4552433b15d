"""Finds out whether a homeserver and this host reach each other, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from agentapp.appservices.makers import Service
from agentapp.foundation.errors import AgentError
from bots.matrix.ghosts.making import NOT_KNOWN, registration_id
from bots.matrix.wire import Request, Wire

GREET_SECONDS = 30.0
_PING = "/_matrix/client/v1/appservice/{}/ping"
# What is wrong, by the homeserver's own words for it.
_WORDS = {
    "M_UNKNOWN_TOKEN": NOT_KNOWN,
    "M_MISSING_TOKEN": NOT_KNOWN,
    "M_FORBIDDEN": NOT_KNOWN,
    "M_URL_NOT_SET": "Its registration file there has no url. Install the file anew, whole.",
}
_OUT_OF_REACH = (
    "The homeserver knows it, but does not reach this host at {}. Look whether that address can be "
    "opened from the homeserver's machine."
)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What came of it. `is_known`: the homeserver takes the service's token."""

    is_known: bool
    error: str = ""


async def greet(service: Service, wire: Wire) -> Greeting:
    """Ask a homeserver to call this host; it then hands over at once what waits there."""
    path = _PING.format(quote(registration_id(service), safe=""))
    request = Request("POST", path, body={}, seconds=GREET_SECONDS)
    try:
        answer = await wire.ask(request, token=service.own_token)
    except AgentError as error:
        return Greeting(is_known=False, error=error.message)
    if answer.status == 200:
        return Greeting(is_known=True)
    code = str(answer.json().get("errcode", ""))
    if code in _WORDS:
        return Greeting(is_known=code == "M_URL_NOT_SET", error=_WORDS[code])
    if answer.status == 404:  # too old to be asked this; it hands over all the same
        return Greeting(is_known=True)
    return Greeting(is_known=True, error=_OUT_OF_REACH.format(service.url))
