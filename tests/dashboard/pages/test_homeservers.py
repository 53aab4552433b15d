"""The page of one's own homeservers: who sees what, what is asked, what a file holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.appservices import makers
from agentapp.appservices.makers import Service
from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.appservices.services import opened
from agentapp.foundation.errors import Unavailable
from agentapp.identity.models import Account, User
from agentapp.identity.platforms import Proven, WrongAnswer
from agentapp.identity.services import leases
from agentapp.intake.departures import end_login, login_ended
from bots.matrix.ghosts.making import registration
from tests.cast import Cast

PAGE = "homeservers"


class Lodge:
    """A homeserver whose answers the test decides."""

    code = "matrix"

    def __init__(self) -> None:
        self.found: Callable[[], str] = lambda: "https://matrix.green.test"
        self.refuses: Exception | None = None

    def find(self, domain: str, address: str) -> str:
        return self.found()

    def registration(self, service: Service) -> str:
        return registration(service)

    def enroll(self, service: Service, *, localpart: str, name: str) -> Proven:
        if self.refuses:
            raise self.refuses
        user_id = f"@{localpart}:{service.domain}"
        return Proven(user_id, "secret", token=f"{service.own_token}:{user_id}")


@pytest.fixture
def lodge(monkeypatch: pytest.MonkeyPatch) -> Lodge:
    one = Lodge()
    monkeypatch.setattr(makers, "_KNOWN", {one.code: one})
    return one


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def add(client: Client, cast: Cast, **fields: object) -> str:
    typed = {"workspace": cast.workspace.pk, "domain": "Green.test", "names": "agent-", **fields}
    data = {f"homeserver-{name}": value for name, value in typed.items()}
    answer = client.post(reverse("homeserver_add"), data, follow=True)
    return answer.content.decode()


def house(client: Client, service: ApplicationService, cast: Cast, localpart: str) -> str:
    data = {f"ghost-{service.pk}-agent": cast.ada.pk, f"ghost-{service.pk}-localpart": localpart}
    answer = client.post(reverse("homeserver_ghost", args=[service.pk]), data, follow=True)
    return answer.content.decode()


def test_from_the_first_name_to_an_agent_that_lives_there(cast: Cast, lodge: Lodge) -> None:
    owner = browser_of(cast.root)
    assert "No homeserver yet" in owner.get(reverse(PAGE)).content.decode()
    shown = add(owner, cast)
    assert "Waits for its file" in shown
    assert "Let an agent live" not in shown
    service = ApplicationService.objects.get()
    assert (service.domain, service.address) == ("green.test", "https://matrix.green.test")

    file = owner.post(reverse("homeserver_file", args=[service.pk]))
    told = opened(service)
    assert file["Content-Disposition"].startswith("attachment")
    assert file["Cache-Control"] == "no-store"
    lines = dict(line.split(": ", 1) for line in file.content.decode().splitlines() if ": " in line)
    assert json.loads(lines["as_token"]) == told.own_token
    assert json.loads(lines["hs_token"]) == told.their_token
    assert json.loads(lines["url"]).endswith(f"/appservice/{service.pk}")
    assert told.own_token not in service.sealed

    ApplicationService.objects.update(health="ok")
    assert "Let an agent live on" in owner.get(reverse(PAGE)).content.decode()
    assert "@agent-ada:green.test" in house(owner, service, cast, "ada")
    ghost = Ghost.objects.get()
    assert (ghost.account.external_id, ghost.account.agent) == ("@agent-ada:green.test", cast.ada)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"domain": "not a name"}, "no server&#x27;s name"),
        ({"names": "Ägent"}, "Use small letters"),
        ({"domain": ""}, "required"),
    ],
)
def test_what_does_not_fit_is_said_and_makes_nothing(
    cast: Cast, lodge: Lodge, fields: dict[str, object], words: str
) -> None:
    assert words in add(browser_of(cast.root), cast, **fields)
    assert not ApplicationService.objects.exists()


def test_a_homeserver_that_is_none_makes_nothing(cast: Cast, lodge: Lodge) -> None:
    def nothing() -> str:
        raise WrongAnswer("Nothing answers there.", question="domain")

    lodge.found = nothing
    assert "Nothing answers there." in add(browser_of(cast.root), cast)
    assert not ApplicationService.objects.exists()


def test_one_homeserver_is_there_once_for_a_workspace(cast: Cast, lodge: Lodge) -> None:
    owner = browser_of(cast.root)
    add(owner, cast)
    assert "already" in add(owner, cast)
    assert ApplicationService.objects.count() == 1


def test_a_homeserver_that_does_not_know_it_yet_makes_no_login(cast: Cast, lodge: Lodge) -> None:
    owner = browser_of(cast.root)
    add(owner, cast)
    service = ApplicationService.objects.get()
    ApplicationService.objects.update(health="failing")
    lodge.refuses = Unavailable("Install its file first.")
    assert "Install its file first." in house(owner, service, cast, "ada")
    assert not Account.objects.filter(platform="matrix").exists()
    assert "Use small letters" in house(owner, service, cast, "Ähm")


@pytest.mark.parametrize("who", ["olga", "sam"])
def test_nobody_else_sees_or_takes_it(cast: Cast, lodge: Lodge, who: str) -> None:
    add(browser_of(cast.root), cast)
    service = ApplicationService.objects.get()
    other = browser_of(getattr(cast, who))
    assert "green.test" not in other.get(reverse(PAGE)).content.decode()
    for name in ("homeserver_file", "homeserver_remove", "homeserver_ghost"):
        assert other.post(reverse(name, args=[service.pk])).status_code == 404
    assert ApplicationService.objects.filter(pk=service.pk).exists()


def test_it_is_removed_once_nobody_lives_there(cast: Cast, lodge: Lodge) -> None:
    owner = browser_of(cast.root)
    add(owner, cast)
    service = ApplicationService.objects.get()
    house(owner, service, cast, "ada")
    account = Account.objects.get(platform="matrix")
    remove = reverse("homeserver_remove", args=[service.pk])
    refused = owner.post(remove, follow=True).content.decode()
    assert "Remove the logins of its agents first." in refused
    assert ApplicationService.objects.exists()
    end_login(account_id=account.pk, by=cast.root)
    leases.take_free(holder="here", platforms=["matrix"])
    account.refresh_from_db()
    assert login_ended(account_id=account.pk, fence=account.fence)
    assert owner.post(remove).status_code == 302
    assert not ApplicationService.objects.exists()
