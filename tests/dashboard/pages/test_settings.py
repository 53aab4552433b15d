from __future__ import annotations

import re
from functools import partial

import pytest
from django.test import Client
from django.urls import reverse

from agentapp.events.models import Event
from agentapp.identity.models import ApiToken
from agentapp.llm import local_servers
from agentapp.llm.models import Budget, Provider
from agentapp.llm.routes import reads_pictures
from tests.cast import Cast
from tests.dashboard.pages.conftest import Visit
from tests.dashboard.pages.world import AS_SCRIPT
from tests.fakes.model_server import ModelServer


def test_a_budget_is_kept_and_shown(cast: Cast, root: Client) -> None:
    root.post(reverse("budget"), {"dollars": "2.50"})
    assert Budget.objects.get(workspace=cast.workspace, agent=None).day_micros == 2_500_000
    assert "of $2.50" in root.get(reverse("costs")).content.decode()


def test_a_budget_below_zero_is_refused_in_words(cast: Cast, root: Client) -> None:
    answer = root.post(reverse("budget"), {"dollars": "-1"})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()


def test_the_chart_has_a_table_to_read(cast: Cast, root: Client) -> None:
    assert root.get(reverse("costs")).content.decode().count("data-day=") == 30


def test_a_server_that_does_not_answer_is_not_kept(cast: Cast, root: Client) -> None:
    answer = root.post(
        reverse("provider_add"), {"base_url": "http://127.0.0.1:9/v1", "key": "k"}, **AS_SCRIPT
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Provider.objects.exists()


def test_a_key_is_never_shown_again(cast: Cast, root: Client) -> None:
    Provider.objects.create(
        workspace=cast.workspace,
        name="models.example",
        base_url="https://models.example/v1",
        key_sealed="sealed-text",
        key_hint="9xQz",
        reply_model="small",
        is_default=True,
    )
    html = root.get(reverse("settings")).content.decode()
    assert "…9xQz" in html
    assert "sealed-text" not in html
    root.post(reverse("provider_remove"))
    assert not Provider.objects.filter(is_default=True).exists()


def test_servers_are_shown_in_their_order_and_moved(cast: Cast, root: Client) -> None:
    for rank, name in enumerate(("one.example", "two.example")):
        Provider.objects.create(
            workspace=cast.workspace, name=name, reply_model="m", rank=rank, is_default=rank == 0
        )
    last = Provider.objects.get(rank=1)
    assert root.get(reverse("settings")).content.decode().count("Ask earlier") == 1

    root.post(reverse("provider_earlier"), {"provider": str(last.pk)})

    html = root.get(reverse("settings")).content.decode()
    assert html.index("two.example") < html.index("one.example")
    root.post(reverse("provider_remove"), {"provider": str(last.pk)})
    assert Provider.objects.get().name == "one.example"
    assert root.post(reverse("provider_earlier"), {"provider": "nonsense"}).status_code == 404


def test_what_runs_on_this_machine_is_offered_only_while_nothing_is_connected(
    cast: Cast, root: Client, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(key="") as server:
        server.program = "Ollama"
        offered = partial(local_servers.found_here, (server.base_url,))
        monkeypatch.setattr(local_servers, "found_here", offered)

        html = root.get(reverse("provider_nearby")).content.decode()

        assert "Ollama" in html
        assert server.base_url in html
        assert sam.get(reverse("provider_nearby")).status_code == 404
        Provider.objects.create(workspace=cast.workspace, name="x", reply_model="m")
        assert "Ollama" not in root.get(reverse("provider_nearby")).content.decode()
    assert server.completions() == []


def test_name_and_zone_are_kept(cast: Cast, root: Client) -> None:
    root.post(reverse("profile"), {"display_name": "Robin", "timezone": "Europe/Berlin"})
    cast.root.refresh_from_db()
    assert (str(cast.root), cast.root.timezone) == ("Robin", "Europe/Berlin")


def test_an_unknown_zone_is_refused(cast: Cast, root: Client) -> None:
    answer = root.post(reverse("profile"), {"display_name": "Robin", "timezone": "Mars/Olympus"})
    assert answer.status_code == 422


def test_a_token_is_shown_once_and_ends(cast: Cast, root: Client) -> None:
    html = root.post(
        reverse("token_new"), {"name": "backup", "scopes": ["read"]}, **AS_SCRIPT
    ).content.decode()
    assert "grm_" in html
    assert "grm_" not in root.get(reverse("settings")).content.decode()
    token = ApiToken.objects.get()
    root.post(reverse("token_end", args=[token.pk]))
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_a_token_needs_a_right(cast: Cast, root: Client) -> None:
    answer = root.post(reverse("token_new"), {"name": "nothing"}, **AS_SCRIPT)
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_member_gets_no_tokens(cast: Cast, sam: Client) -> None:
    answer = sam.post(reverse("token_new"), {"name": "mine", "scopes": ["read"]})
    assert answer.status_code == 404
    assert not ApiToken.objects.exists()


def test_every_link_on_settings_leads_somewhere(cast: Cast, visit: Visit) -> None:
    cast.root.is_superuser = cast.root.is_staff = True
    cast.root.save()
    admin = visit(cast.root)
    html = admin.get(reverse("settings")).content.decode()
    links = set(re.findall(r'href="(/[^"#]*)', html))
    assert "/admin/" in links
    for link in links - {"/"}:
        if not link.startswith("/static/"):
            # A page that wants the password once more asks for it: that is an answer, too.
            assert admin.get(link).status_code in {200, 302}, link


def test_a_server_gets_pictures_where_its_owner_says_so(
    cast: Cast, root: Client, sam: Client
) -> None:
    row = Provider.objects.create(
        workspace=cast.workspace, name="mine", base_url="http://127.0.0.1:1/v1", reply_model="tiny"
    )
    address, known = reverse("provider_pictures"), "claude-sonnet-5"
    assert not reads_pictures(row, row.reply_model)
    assert reads_pictures(row, known)
    assert b"by name only" in root.get(reverse("settings")).content
    sam.post(address, {"provider": str(row.pk), "reads": "1"})
    row.refresh_from_db()
    assert not reads_pictures(row, row.reply_model)
    for reads in (True, False):
        root.post(address, {"provider": str(row.pk), "reads": str(int(reads))})
        row.refresh_from_db()
        assert reads_pictures(row, row.reply_model) is reads
        assert reads_pictures(row, known) is reads
    assert Event.objects.filter(type="provider.pictures").count() == 2
