"""A running host, a model server and a browser for whole flows.

The processes work on the database of this test run, so nothing here is rolled back: every test
makes its own people and rooms, and when the last flow has ended all tables are emptied.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)
from pytest_django.plugin import DjangoDbBlocker

from agentapp.identity.models import User
from tests.emptying import empty_all_tables
from tests.fakes.discord import Discord
from tests.fakes.model_server import Behaviour, ModelServer
from tests.flows.processes import RunningHost
from tests.flows.processes import running_host as start_host
from tests.flows.stage import Stage, log_in, make_stage

CHROMIUM = "/usr/bin/chromium"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 40_000  # for anything a page has to show; other work may hold the machine
expect.set_options(timeout=PATIENCE_MS)

KIND = "You said something kind."
Opener = Callable[..., Page]


@pytest.fixture(scope="package")
def discord() -> Iterator[Discord]:
    """The Discord that the running host believes in."""
    with Discord() as server:
        yield server


@pytest.fixture(scope="package")
def running_host(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker, discord: Discord
) -> Iterator[RunningHost]:
    """The whole product, running."""
    folder: Path = tmp_path_factory.mktemp("host")
    there = {"DISCORD_API": discord.api_url, "DISCORD_GATEWAY": discord.gateway_url}
    with django_db_blocker.unblock():
        with start_host(folder, **there) as host:
            yield host
        empty_all_tables()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; Django would refuse to read anything.
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def model(model_server: ModelServer) -> ModelServer:
    """The model server, quick and kind whatever the test before made of it."""
    model_server.always(Behaviour(gap=0.02))
    model_server.reply = lambda body: KIND
    return model_server


@pytest.fixture
def stage(running_host: RunningHost, model: ModelServer) -> Stage:
    """An owner, a member, an agent that answers by itself, and a room they are in."""
    return make_stage(model)


def complain_into(complaints: list[str], page: Page) -> None:
    """Note script errors, refused content and answers that no page should ever get."""

    def hear(line: ConsoleMessage) -> None:
        # What could not be loaded is judged by its status below.
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            complaints.append(f"{page.url}: {line.text}")

    def judge(answer: Response) -> None:
        is_ours = "/static/" in answer.url
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
            is_ours and answer.status >= HTTPStatus.BAD_REQUEST
        ):
            complaints.append(f"{answer.url}: {answer.status}")

    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("console", hear)
    page.on("response", judge)


@pytest.fixture
def open_browser(browser: Browser, running_host: RunningHost) -> Iterator[Opener]:
    """Open a page as somebody. What a page complains about in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(
        path: str = "/",
        *,
        user: User | None = None,
        phone: bool = False,
        dark: bool = False,
        is_examined: bool = False,
    ) -> Page:
        context = browser.new_context(
            base_url=running_host.url,
            viewport=PHONE if phone else WIDE,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            bypass_csp=is_examined,  # axe styles elements in place while it measures
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if user is not None:
            log_in(context, user, url=running_host.url)
        page = context.new_page()
        complain_into(complaints, page)
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    running_host.check()
    assert complaints == []
