"""A model server is connected only after it answered, and its key stays where it was given."""

from __future__ import annotations

import pytest
from django.db import transaction

from agentapp.events.models import Event
from agentapp.foundation.database import OpenTransaction
from agentapp.foundation.errors import Invalid, NotFound, Refused
from agentapp.foundation.secrets import SecretUnreadable, seal, unseal
from agentapp.llm import gateway, services
from agentapp.llm.errors import NotProven
from agentapp.llm.models import LLMCall, Provider, Spend
from agentapp.llm.queries import has_provider
from agentapp.llm.routes import KEY_COLUMN, KEY_TABLE
from agentapp.llm.services import Proof
from tests.cast import Cast
from tests.fakes.connecting import Ask, connect, give_budget
from tests.fakes.model_server import KEY, Behaviour, ModelServer


def prove(cast: Cast, server: ModelServer, **changes: str) -> Proof:
    values = {"base_url": server.base_url, "key": server.key} | changes
    return services.set_provider(workspace=cast.workspace, by=cast.root, **values)


def test_a_proven_server_answers_from_then_on(cast: Cast, server: ModelServer) -> None:
    assert not has_provider(cast.workspace)

    proof = prove(cast, server)

    assert (proof.model, proof.cheap_model) == ("fake-chat", "fake-chat")
    assert proof.text == "You said something kind."
    assert proof.models == ["fake-chat", "fake-cheap"]  # the embedding model cannot talk
    assert 0 <= proof.seconds < 10
    assert "free" in proof.price
    assert has_provider(cast.workspace)
    provider = Provider.objects.get()
    assert provider.verified_at is not None
    assert provider.key_hint == KEY[-4:]
    call = LLMCall.objects.get()
    assert (call.purpose, call.provider_id, call.status) == ("prove", provider.pk, "done")
    event = Event.objects.get(type="provider.proven")
    assert event.payload["model"] == "fake-chat"
    assert event.actor_id == str(cast.root.pk)
    answer = gateway.ask(
        workspace_id=cast.workspace.pk,
        purpose="reply",
        messages=[gateway.ChatMessage(gateway.Role.USER, "Hello")],
        key="first",
    )
    assert answer.text
    assert server.completions()[-1].key == KEY


def test_the_proof_is_paid_from_the_budget(cast: Cast, ask: Ask, server: ModelServer) -> None:
    proof = prove(cast, server)

    assert proof.cost_micros == Spend.objects.get().spent_micros > 0
    give_budget(cast.workspace, 1)
    with pytest.raises(gateway.BudgetExhausted):
        prove(cast, server)


def test_models_that_were_named_are_taken(cast: Cast, server: ModelServer) -> None:
    proof = prove(cast, server, reply_model="fake-cheap", cheap_model="other")

    assert (proof.model, proof.cheap_model) == ("fake-cheap", "other")
    assert server.completions()[0].body["model"] == "fake-cheap"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": "sk-wrong-key-0123456789"}, "refused the key"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "cannot be reached"),
        ({"base_url": "http://127.0.0.1:{port}/api"}, "No model server answers at this address"),
        ({"base_url": "https://models.example.com/v1"}, "not allowed here"),
        ({"base_url": "https://127.0.0.1:{port}/v1"}, "cannot be reached"),
    ],
    ids=["wrong key", "nothing there", "wrong path", "elsewhere", "no TLS there"],
)
def test_what_does_not_work_says_why_and_saves_nothing(
    cast: Cast, server: ModelServer, changes: dict[str, str], says: str
) -> None:
    port = server.base_url.rpartition(":")[2].partition("/")[0]
    changes = {name: value.replace("{port}", port) for name, value in changes.items()}

    with pytest.raises(NotProven, match=says) as caught:
        prove(cast, server, **changes)

    assert not Provider.objects.exists()
    assert changes.get("key", KEY) not in str(caught.value)


def test_a_failed_proof_leaves_the_old_provider_as_it_was(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    before = Provider.objects.values().get()
    server.always(Behaviour(status=401))

    with pytest.raises(NotProven):
        prove(cast, server, key="sk-new-key-0123456789")

    assert Provider.objects.values().get() == before


def test_a_server_without_models_says_what_to_do(cast: Cast) -> None:
    with (
        ModelServer(models=("fake-embedding",)) as server,
        pytest.raises(NotProven, match="no model that can talk"),
    ):
        prove(cast, server)


def test_a_server_that_lists_nothing_works_with_a_named_model(cast: Cast) -> None:
    with ModelServer(models=()) as server:
        assert prove(cast, server, reply_model="fake-chat").model == "fake-chat"


def test_a_silent_model_is_not_proven(cast: Cast, server: ModelServer) -> None:
    server.always(Behaviour(text=""))

    with pytest.raises(NotProven, match="answered with nothing"):
        prove(cast, server)


def test_the_key_opens_only_for_its_row_and_column(cast: Cast, server: ModelServer) -> None:
    prove(cast, server)
    provider = Provider.objects.get()
    sealed = provider.key_sealed
    assert KEY not in sealed

    opened = unseal(table=KEY_TABLE, pk=provider.pk, column=KEY_COLUMN, sealed=sealed)

    assert opened == KEY
    other = Provider.objects.create(workspace=cast.elsewhere, name="x", key_sealed=sealed)
    for pk, column in ((other.pk, KEY_COLUMN), (provider.pk, "secret")):
        with pytest.raises(SecretUnreadable):
            unseal(table=KEY_TABLE, pk=pk, column=column, sealed=sealed)


def test_a_key_is_kept_at_its_server_and_never_follows_to_another(
    cast: Cast, server: ModelServer
) -> None:
    prove(cast, server)
    assert prove(cast, server, key="", reply_model="fake-cheap").model == "fake-cheap"
    assert server.completions()[-1].key == KEY

    with ModelServer() as other:
        with pytest.raises(NotProven, match="refused the key"):
            prove(cast, other, key="")
        assert {seen.key for seen in other.requests} <= {"-", ""}

    with pytest.raises(Invalid, match="Paste the key"):
        prove(cast, server, base_url="https://api.example.com/v1", key="")


def test_a_new_server_comes_after_the_others_and_shares_no_key(
    cast: Cast, server: ModelServer
) -> None:
    prove(cast, server)
    with ModelServer(key="") as keyless:
        prove(cast, keyless, key="")

    first, second = Provider.objects.order_by("rank")
    assert (first.is_default, first.key_hint) == (True, KEY[-4:])
    assert (second.is_default, second.key_sealed, second.key_hint) == (False, "", "")


@pytest.mark.parametrize("key", ["sk bad", "sk-\u00e9", "sk-\x00", "k" * 401])
def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent(
    cast: Cast, server: ModelServer, key: str
) -> None:
    with pytest.raises(services.BadKey):
        prove(cast, server, key=key)

    assert server.requests == []


def test_only_owners_connect_and_disconnect(cast: Cast, server: ModelServer) -> None:
    for by in (cast.sam, cast.olga):
        with pytest.raises((Refused, NotFound)):
            services.set_provider(
                workspace=cast.workspace, base_url=server.base_url, key=KEY, by=by
            )
    prove(cast, server)
    with pytest.raises((Refused, NotFound)):
        services.remove_provider(workspace=cast.workspace, by=cast.olga)

    assert has_provider(cast.workspace)


def test_the_demo_keeps_its_rehearsal(cast: Cast, server: ModelServer) -> None:
    cast.workspace.is_demo = True
    cast.workspace.save()
    with pytest.raises(Refused, match="demo"):
        prove(cast, server)
    with pytest.raises(Refused, match="demo"):
        services.remove_provider(workspace=cast.workspace, by=cast.root)

    assert server.requests == []


def test_a_removed_provider_takes_its_key_along_and_leaves_its_calls(
    cast: Cast, server: ModelServer
) -> None:
    prove(cast, server)

    services.remove_provider(workspace=cast.workspace, by=cast.root)

    assert not Provider.objects.exists()
    assert LLMCall.objects.get().provider is None
    assert Event.objects.filter(type="provider.removed").count() == 1
    with pytest.raises(NotFound):
        services.remove_provider(workspace=cast.workspace, by=cast.root)


def test_nothing_is_proven_inside_a_transaction(cast: Cast, server: ModelServer) -> None:
    with transaction.atomic(), pytest.raises(OpenTransaction):
        prove(cast, server)

    assert server.requests == []


def test_a_moved_key_makes_the_gateway_refuse_not_send(
    cast: Cast, ask: Ask, server: ModelServer
) -> None:
    sealed = seal(table=KEY_TABLE, pk="another row", column=KEY_COLUMN, text=KEY)
    Provider.objects.update(key_sealed=sealed)

    with pytest.raises(gateway.ProviderUnavailable, match="Paste it again"):
        ask()

    assert server.requests == []


def test_connecting_twice_keeps_one_provider(cast: Cast, server: ModelServer) -> None:
    connect(cast.workspace, server)
    prove(cast, server)
    prove(cast, server)

    assert Provider.objects.count() == 1
