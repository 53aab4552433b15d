from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentapp.identity.models import User
from agentapp.llm.models import Provider
from tests.cast import Cast, make_message, make_user

PROXIES = {"agentdraftpost", "agentdraftcomment", "agentdraftreaction"}
TABLES = sorted(
    model._meta.model_name or ""
    for model in apps.get_app_config("agentapp").get_models()
    if model._meta.model_name not in PROXIES
)


@pytest.fixture
def boss(cast: Cast) -> Client:
    boss = make_user("boss")
    User.objects.filter(pk=boss.pk).update(is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(User.objects.get(pk=boss.pk))
    return client


def test_every_table_is_shown() -> None:
    shown = {model._meta.model_name for model in admin.site._registry}
    assert set(TABLES) <= shown


@pytest.mark.parametrize("table", TABLES)
def test_a_table_can_be_looked_at_but_not_changed(boss: Client, cast: Cast, table: str) -> None:
    make_message(cast, cast.sam, "Hi")
    model = apps.get_model("agentapp", table)
    base = f"/admin/agentapp/{table}/"

    assert boss.get(base).status_code == 200
    assert boss.get(f"{base}add/").status_code == 403
    row = model._default_manager.first()
    if row is not None:
        detail = boss.get(f"{base}{row.pk}/change/")
        assert detail.status_code == 200
        assert boss.post(f"{base}{row.pk}/change/", {}).status_code == 403
        assert boss.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_sealed_key_is_not_shown(boss: Client, cast: Cast) -> None:
    row = Provider.objects.create(
        workspace=cast.workspace, name="P", reply_model="m", key_sealed="k1.SEALEDTEXT"
    )
    assert b"SEALEDTEXT" not in boss.get(f"/admin/agentapp/provider/{row.pk}/change/").content


def test_a_list_costs_the_same_for_many_rows(boss: Client, cast: Cast) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            boss.get("/admin/agentapp/message/")
        return len(seen)

    make_message(cast, cast.sam, "first")
    few = queries()
    for n in range(40):
        make_message(cast, cast.sam, f"chat {n}")
    assert queries() == few


def test_nobody_else_gets_in(cast: Cast) -> None:
    client = Client()
    assert client.get("/admin/").status_code == 302
    client.force_login(cast.root)
    assert client.get("/admin/agentapp/message/").status_code in {302, 403}


def test_the_admin_has_its_own_policy_and_the_pages_a_strict_one(boss: Client) -> None:
    admin_policy = boss.get("/admin/")["Content-Security-Policy"]
    page = boss.get("/settings/")
    assert "unsafe-eval" in admin_policy
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert page["Permissions-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
