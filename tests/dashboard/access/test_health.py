from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from agentapp.identity.services import make_api_token
from dashboard import health
from tests.town import Town


@pytest.fixture(autouse=True)
def forget_what_was_found() -> Iterator[None]:
    yield
    health._applied.cache_clear()


def test_a_living_process_says_so_without_the_database(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}


def test_a_complete_host_is_ready(client: Client, db: None) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"database": "ok", "broker": "ok", "migrations": "ok"},
    }


def test_without_the_broker_the_site_is_degraded_and_still_serves(
    client: Client, db: None, settings: object
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"


def test_a_database_older_than_the_code_is_not_ready(client: Client, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE id = "
            "(SELECT max(id) FROM django_migrations WHERE app = 'agentapp')"
        )

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == "missing"


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_process_is_alive_and_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"connect_timeout": 1})

    assert client.get("/health/live").status_code == 200
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failing"
    connection.close()


def test_a_scrape_from_this_machine_reads_the_figures(town: Town, client: Client) -> None:
    response = client.get("/metrics", REMOTE_ADDR="127.0.0.1", SERVER_NAME="localhost")

    text = response.content.decode()
    assert response.status_code == 200
    assert "greenroom_drafts_pending 0.0" in text
    assert 'greenroom_outbound_open{state="queued"} 0.0' in text
    assert "greenroom_lanes_due 0.0" in text
    assert 'greenroom_llm_calls_last_hour{status="done"} 0.0' in text
    assert "greenroom_spent_dollars_total 0.0" in text


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {"host": "localhost"}),
        ("", {"host": "localhost"}),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "192.0.2.7"}),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"host": "testserver"}),
    ],
)
def test_others_do_not_read_the_figures(
    client: Client, db: None, address: str, headers: dict[str, str]
) -> None:
    response = client.get("/metrics", REMOTE_ADDR=address, headers=headers)

    assert response.status_code == 403


def test_from_elsewhere_only_an_admins_key_reads_them(town: Town, client: Client) -> None:
    _, reading = make_api_token(user=town.admin, name="few", scopes=["read"])
    _, admins = make_api_token(user=town.admin, name="all", scopes=["admin"])
    _, moderators = make_api_token(user=town.mona, name="mona", scopes=["admin"])

    def status(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers=headers).status_code

    assert status(admins) == 200
    assert status(reading) == 403
    assert status(moderators) == 403


def test_the_figures_cost_the_same_however_many_agents(
    town: Town, client: Client, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(8):
        client.get("/metrics", REMOTE_ADDR="127.0.0.1", SERVER_NAME="localhost")
