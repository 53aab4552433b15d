"""Where homeservers hand over: who gets in, and what is kept before it is answered."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

import pytest
from django.db import IntegrityError
from django.http import HttpResponse
from django.test import Client

from agentapp.appservices import parcels
from agentapp.appservices.models import ApplicationService, Parcel
from agentapp.foundation.secrets import marks
from dashboard import appservice
from tests.cast import Cast

THEIRS = "the-homeservers-own-token"
SAID = json.dumps({"events": [{"type": "m.room.message", "content": {"body": "a\u0000b\ud800"}}]})


def make_service(cast: Cast, *, domain: str = "green.test", token: str = THEIRS) -> str:
    service = ApplicationService.objects.create(
        workspace=cast.workspace,
        platform="matrix",
        domain=domain,
        address=f"https://{domain}",
        prefix="agent-",
        token_mark=marks(token)[0],
    )
    return f"/appservice/{service.pk}/_matrix/app/v1"


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def hand_over(
    base: str, *, name: str = "1", body: str | bytes = SAID, token: str = THEIRS
) -> HttpResponse:
    browser = Client(enforce_csrf_checks=True)
    return browser.put(  # type: ignore[return-value]
        f"{base}/transactions/{name}", body, "application/json", headers=bearer(token)
    )


def test_what_is_handed_over_is_kept_once_as_it_came(cast: Cast) -> None:
    base = make_service(cast)
    for _ in range(2):
        answer = hand_over(base)
        assert (answer.status_code, answer.content) == (200, b"{}")
    assert "Set-Cookie" not in answer.headers
    parcel = Parcel.objects.get()
    assert (bytes(parcel.content).decode(), parcel.taken_at) == (SAID, None)
    assert ApplicationService.objects.get().heard_at is not None


@pytest.mark.parametrize(
    ("token", "status"), [("", 401), ("another", 403), ("of-the-neighbour", 403)]
)
@pytest.mark.parametrize("path", ["transactions/1", "users/@agent-x:green.test", "rooms/x", "ping"])
def test_only_its_own_homeserver_gets_in(cast: Cast, token: str, status: int, path: str) -> None:
    base = make_service(cast)
    make_service(cast, domain="other.test", token="of-the-neighbour")
    method = {"t": "put", "p": "post"}.get(path[0], "get")
    browser = Client()
    browser.force_login(cast.root)  # whoever owns the host is no homeserver
    call = getattr(browser, method)
    assert call(f"{base}/{path}", headers=bearer(token)).status_code == status
    assert not Parcel.objects.exists()


def test_a_service_that_is_gone_is_as_one_that_never_was(cast: Cast) -> None:
    base = make_service(cast)
    ApplicationService.objects.all().delete()
    assert hand_over(base).status_code == 403
    assert hand_over(f"/appservice/{uuid.uuid4()}/_matrix/app/v1").status_code == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_transaction_is_refused_in_words(cast: Cast, body: bytes) -> None:
    answer = hand_over(make_service(cast), body=body)
    assert answer.status_code == 400
    assert json.loads(answer.content)["errcode"] == "M_BAD_JSON"
    assert not Parcel.objects.exists()


def test_too_much_is_never_read_whole(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appservice, "MOST_BYTES", 20)
    assert hand_over(make_service(cast)).status_code == 413
    assert not Parcel.objects.exists()


def test_more_than_fits_stays_with_the_homeserver(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "MOST_WAITING", 2)
    base = make_service(cast)
    answers = [hand_over(base, name=str(n)) for n in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 503]
    assert int(answers[-1]["Retry-After"]) > 0
    Parcel.objects.update(taken_at="2026-01-01T00:00:00Z")
    assert hand_over(base, name="3").status_code == 200


def test_nobody_is_made_because_somebody_asks(cast: Cast) -> None:
    base = make_service(cast)
    for path in ("users/@agent-x:green.test", "rooms/%23tea:green.test"):
        answer = Client().get(f"{base}/{path}", headers=bearer(THEIRS))
        assert (answer.status_code, answer.json()["errcode"]) == (404, "M_NOT_FOUND")
    assert Client().post(f"{base}/ping", headers=bearer(THEIRS)).status_code == 200


def test_a_parcel_is_there_once_whatever_raced(cast: Cast) -> None:
    base = make_service(cast)
    hand_over(base)
    first = Parcel.objects.get()
    with pytest.raises(IntegrityError):
        Parcel.objects.create(service=first.service, name=first.name, content=b"{}")
