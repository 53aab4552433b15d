"""The REST API and the files over HTTP: routes answer, and it breaks on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from tests.fakes.discord import routes
from tests.fakes.discord.calls import Call, Route, Site, Upload, find
from tests.fakes.discord.faults import Fault, Trouble, Troubles
from tests.fakes.discord.limits import Limited, Limits, headers_of
from tests.fakes.discord.model import App
from tests.fakes.discord.refusals import NO_SUCH_ROUTE, UNAUTHORIZED, Refused

HOST = "127.0.0.1"
PREFIX = "/api/v10"
LARGEST_REQUEST = 32 * 1024 * 1024
# Discord answers with exactly this, and clients compare the whole header.
JSON = "application/json"

__all__ = ["Api", "Seen", "routes"]


@dataclass
class Seen:
    """One request as it arrived, and the status of its answer; 0 while there is none."""

    route: str
    path: str
    query: dict[str, str]
    body: Any
    uploads: list[Upload]
    app: App | None
    headers: dict[str, str]
    status: int = 0
    answer: Any = None


class Api:
    """Answers every request of every bot, one at a time."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.limits = Limits()
        self.troubles = Troubles()
        self.seen: list[Seen] = []
        self._changed = changed
        self._site: Site | None = None
        self._stopped = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Return where it listens, without a path."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_route("*", PREFIX + "/{path:.*}", self._serve)
        app.router.add_get("/attachments/{channel}/{file}/{name}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()

    def work_on(self, site: Site) -> None:
        self._site = site

    async def stop(self) -> None:
        assert self._runner is not None
        self._stopped.set()
        await self._runner.cleanup()

    @property
    def site(self) -> Site:
        assert self._site is not None
        return self._site

    async def _download(self, request: web.Request) -> web.Response:
        digits = request.match_info["file"]
        file = self.site.world.files.get(int(digits) if digits.isdigit() else 0)
        if file is None or str(file.channel_id) != request.match_info["channel"]:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=file.data, headers={"Content-Type": file.content_type})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        found = find(request.method, path)
        seen = await self._note(request, path, found[0] if found else None)
        trouble = self.troubles.take(seen.route)
        try:
            return await self._answer(request, seen, found, trouble)
        finally:
            self._changed()

    async def _note(self, request: web.Request, path: str, route: Route | None) -> Seen:
        """Read a request and write it down."""
        body, uploads = await _read(request)
        token = request.headers.get("Authorization", "")
        seen = Seen(
            route.name if route else f"{request.method} {path}",
            path,
            dict(request.query),
            body,
            uploads,
            self.site.world.app_with(token.removeprefix("Bot ")) if token else None,
            dict(request.headers),
        )
        self.seen.append(seen)
        return seen

    async def _answer(
        self,
        request: web.Request,
        seen: Seen,
        found: tuple[Route, dict[str, str]] | None,
        trouble: Trouble | None,
    ) -> web.StreamResponse:
        fault = trouble.fault if trouble else None
        if fault is Fault.HANG:
            await self._stopped.wait()
        if fault in {Fault.HANG, Fault.CUT_BEFORE}:
            return _cut(request)
        if trouble and fault is Fault.STATUS:
            told = {"message": f"{trouble.status}: made to fail", "code": 0}
            return _respond(seen, trouble.status, told, {})
        response = self._act(seen, found)
        if fault is Fault.CUT_AFTER:
            return _cut(request)
        if fault is Fault.CUT_AMID:
            return await _half(request, response)
        return response

    def _act(self, seen: Seen, found: tuple[Route, dict[str, str]] | None) -> web.Response:
        headers: dict[str, str] = {}
        try:
            route, params = _allowed(seen, found)
            headers = self.limits.take(_bucket(seen, params))
            call = Call(self.site, seen.app, params, seen.query, seen.body, seen.uploads)
            answer = route.handler(call)
        except Refused as refused:
            return _respond(seen, refused.status, refused.body(), headers)
        except Limited as limited:
            is_global = limited.scope == "global"
            told = {
                "message": "You are being rate limited.",
                "retry_after": round(limited.retry_after, 3),
                "global": is_global,
            }
            return _respond(seen, 429, told, headers_of(limited))
        return _respond(seen, answer.status, answer.body, headers)


def _allowed(
    seen: Seen, found: tuple[Route, dict[str, str]] | None
) -> tuple[Route, dict[str, str]]:
    if found is None:
        raise Refused(*NO_SUCH_ROUTE)
    if seen.app is None and not found[0].is_open:
        raise Refused(*UNAUTHORIZED)
    return found


def _bucket(seen: Seen, params: dict[str, str]) -> tuple[str, str, str]:
    place = params.get("channel") or params.get("guild") or params.get("token") or ""
    return seen.route, place, seen.app.token if seen.app else ""


def _respond(seen: Seen, status: int, told: Any, headers: dict[str, str]) -> web.Response:
    seen.status, seen.answer = status, told
    response = web.Response(status=status, headers={"Via": "1.1 google"} | headers)
    if status != 204:
        response.body = json.dumps(told).encode()
        response.headers["Content-Type"] = JSON
    return response


def _cut(request: web.Request) -> web.Response:
    """Break the connection as a dying server does."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _half(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send the head and half of an answer, then break the connection."""
    body = response.body if isinstance(response.body, bytes) else b"{}"
    begun = web.StreamResponse(status=response.status, headers={"Content-Type": JSON})
    begun.content_length = len(body)
    await begun.prepare(request)
    await begun.write(body[: len(body) // 2])
    assert request.transport is not None
    # Abort would throw away what is not sent yet; closing sends it, and the length tells the rest.
    request.transport.close()
    return begun


async def _read(request: web.Request) -> tuple[Any, list[Upload]]:
    """Return the JSON of a request and the files that came with it."""
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return (json.loads(raw) if raw else None), []
    body: Any = None
    uploads: list[Upload] = []
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read(decode=False))
        if part.name == "payload_json":
            body = json.loads(data)
        else:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            uploads.append(Upload(part.name or "", part.filename or "", kind, data))
    return body, uploads
