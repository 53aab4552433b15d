"""A request to the REST API, and the table of routes that answer them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.discord.commands import Commands
from tests.fakes.discord.model import App, Channel, File, Message
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import (
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    TOO_LARGE,
    UNKNOWN_MESSAGE,
    Refused,
)
from tests.fakes.discord.shapes import Json, Viewer
from tests.fakes.discord.speech import Speech, Words
from tests.fakes.discord.world import World

LARGEST_FILE = 10 * 1024 * 1024
MOST_FILES = 10


@dataclass(frozen=True)
class Upload:
    """A file as it came in a form."""

    field: str
    name: str
    content_type: str
    data: bytes


@dataclass
class Site:
    """What the routes work on."""

    world: World
    speech: Speech
    commands: Commands
    gateway_url: Callable[[], str]


@dataclass
class Call:
    """One request, read and with its bot known."""

    site: Site
    caller: App | None
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    uploads: list[Upload] = field(default_factory=list)

    @property
    def app(self) -> App:
        assert self.caller is not None
        return self.caller

    @property
    def viewer(self) -> Viewer:
        return Viewer.rest(self.app)

    def number(self, name: str) -> int:
        """Return an id of the path; what is no id fits nothing."""
        given = self.params[name]
        return int(given) if given.isdigit() else 0

    def place(self, name: str = "channel") -> Channel:
        return self.site.world.place_for(self.app, self.number(name))

    def message(self) -> Message:
        """Return the message of the path; reading it takes the right to read the past."""
        place = self.place()
        if not may(self.app.user, place, "read_message_history"):
            raise Refused(*MISSING_ACCESS)
        found = place.messages.get(self.number("message"))
        if found is None:
            raise Refused(*UNKNOWN_MESSAGE)
        return found

    def needs(self, place: Channel, name: str) -> None:
        if not may(self.app.user, place, name):
            raise Refused(*MISSING_PERMISSIONS)

    def files(self, place: Channel, body: Json) -> list[File]:
        """Store what was uploaded."""
        if len(self.uploads) > MOST_FILES or any(
            len(one.data) > LARGEST_FILE for one in self.uploads
        ):
            raise Refused(*TOO_LARGE)
        described = {str(one.get("id")): one for one in body.get("attachments") or []}
        return [self._store(place, one, described) for one in self.uploads]

    def _store(self, place: Channel, one: Upload, described: Mapping[str, Json]) -> File:
        number = one.field.removeprefix("files[").removesuffix("]")
        told = described.get(number, {})
        world = self.site.world
        file = File(
            world.clock.snowflake(),
            place.id,
            told.get("filename") or one.name,
            one.content_type,
            one.data,
            told.get("description") or "",
        )
        world.files[file.id] = file
        return file

    def words(self, place: Channel, body: Json, answers: Message | None = None) -> Words:
        """Return what a bot wants to say."""
        return Words(
            content=body.get("content") or "",
            files=self.files(place, body),
            embeds=body.get("embeds") or [],
            components=body.get("components") or [],
            answers=answers,
            allowed=body.get("allowed_mentions"),
            nonce=body.get("nonce"),
            flags=int(body.get("flags") or 0),
        )


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200


NOTHING = Answer(status=204)
Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One method on one path; `name` is both, as tests write it."""

    method: str
    template: str
    handler: Handler
    is_open: bool
    pattern: re.Pattern[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


ROUTES: list[Route] = []


def route(name: str, *, is_open: bool = False) -> Callable[[Handler], Handler]:
    """Have a function answer a route, written as `GET /channels/{channel}`.

    An open route takes no bot's token: what it needs stands in its path.
    """
    method, template = name.split(" ")
    pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template)))

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, handler, is_open, pattern))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and what its path holds; routes with fixed words win."""
    found = [
        (one, match.groupdict())
        for one in ROUTES
        if one.method == method and (match := one.pattern.fullmatch(path))
    ]
    return min(found, key=lambda pair: len(pair[1]), default=None)
