"""What owners decide about models and money."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import refuse_open_transaction
from agentapp.foundation.errors import Invalid, NotFound, Refused
from agentapp.foundation.secrets import seal
from agentapp.foundation.text import one_line
from agentapp.foundation.units import MICROS_PER_USD
from agentapp.identity import policy
from agentapp.identity.models import Agent, User, Workspace
from agentapp.identity.policy import Verb
from agentapp.llm import queries
from agentapp.llm.models import Budget, LLMCall, Provider, Spend
from agentapp.llm.prices import load_rates
from agentapp.llm.proof import Candidate, Proof, prove
from agentapp.llm.routes import KEY_COLUMN, KEY_TABLE, opened_key
from agentapp.llm.rules.addresses import checked_base_url, is_local_url, origin
from agentapp.llm.rules.protocols import is_of_somebody_else, protocol_of

__all__ = ["Proof", "ask_earlier", "load_rates", "remove_provider", "set_budget", "set_provider"]

MAX_DAY_MICROS = 1_000_000 * MICROS_PER_USD
MAX_KEY = 400
MAX_MODEL = 120
MAX_PROVIDERS = 8
HINT = 4
SHORTEST_HINTED = 12  # of a shorter key the last four would be too much


class BadKey(Invalid):
    """A key has no spaces and no special characters. Copy it again, whole."""


def set_provider(
    *,
    workspace: Workspace,
    base_url: str,
    key: str,
    reply_model: str = "",
    cheap_model: str = "",
    kind: str = "",
    by: User,
) -> Proof:
    """Connect a workspace to a model server, after one real completion from it.

    Calls: the server, for its models and one word. Writes: LLMCall and Spend for the proof, then
    Provider. Announces: `provider.proven`. A server that is connected already is proven anew and
    keeps its place; another one is asked after all the others.

    Args:
        workspace: A real one; the demo keeps its rehearsal.
        base_url: Such as https://api.openai.com/v1 or https://api.anthropic.com.
        key: "" keeps the stored key, but only at the same scheme, host and port.
        reply_model: Answers people; picked from the server's list when "".
        cheap_model: Does the small work; picked when "".
        kind: A protocol, `Provider.Kind`; told by the address when "".
        by: An owner of the workspace, or the admin.

    Raises:
        NotProven: It does not work; nothing was saved and the others stay as they were.
        Invalid: Address, key or a model's name cannot be used.
        Refused, NotFound: `by` may not do this here.
    """
    refuse_open_transaction()
    policy.require(by, Verb.MANAGE, workspace)
    if workspace.is_demo:
        raise Refused("The demo keeps its rehearsal model. Connect a real one in your workspace.")
    base_url = checked_base_url(base_url, has_key=bool(key.strip()))
    kind = _checked_kind(kind, base_url=base_url, key=key)
    candidate = Candidate(
        kind=kind,
        base_url=base_url,
        key=_checked_key(key) or _kept_key(workspace, kind, base_url),
        reply_model=_checked_model(reply_model),
        cheap_model=_checked_model(cheap_model),
    )
    proof = prove(workspace=workspace, candidate=candidate)
    _store(workspace, candidate, proof, by)
    return proof


def _checked_kind(kind: str, *, base_url: str, key: str) -> str:
    """Return the protocol to speak; refuse a key that would go to another company."""
    if kind and kind not in {Provider.Kind.OPENAI, Provider.Kind.ANTHROPIC}:
        raise Invalid("Choose one of the offered protocols.")
    kind = kind or protocol_of(base_url)
    if is_of_somebody_else(key, base_url=base_url):
        raise BadKey("This is a key of Anthropic. Its address is https://api.anthropic.com.")
    return kind


def _checked_key(key: str) -> str:
    key = key.strip()
    if len(key) > MAX_KEY or not all(33 <= ord(character) < 127 for character in key):
        raise BadKey
    return key


def _checked_model(name: str) -> str:
    clean = one_line(name, limit=MAX_MODEL + 1)
    if len(clean) > MAX_MODEL:
        raise Invalid(f"A model's name has at most {MAX_MODEL} characters.")
    return clean


def _same_server(providers: list[Provider], *, kind: str, base_url: str) -> Provider | None:
    found = (
        row for row in providers if (row.kind, origin(row.base_url)) == (kind, origin(base_url))
    )
    return next(found, None)


def _kept_key(workspace: Workspace, kind: str, base_url: str) -> str:
    """Return the stored key for the same server; a key never follows to another host."""
    provider = _same_server(queries.providers_of(workspace), kind=kind, base_url=base_url)
    if provider is not None:
        return opened_key(provider)
    if is_local_url(base_url):
        return ""
    raise BadKey("Paste the key for this server.")


@transaction.atomic
def _store(workspace: Workspace, candidate: Candidate, proof: Proof, by: User) -> None:
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    others = queries.providers_of(workspace)
    provider = _same_server(others, kind=candidate.kind, base_url=candidate.base_url)
    if provider is None:
        if len(others) >= MAX_PROVIDERS:
            raise Invalid(f"At most {MAX_PROVIDERS} model servers. Remove one first.")
        provider = Provider(workspace=workspace, is_default=not others, rank=len(others))
    key = candidate.key
    provider.kind = candidate.kind
    provider.name = one_line(_name_of(candidate.base_url, proof), limit=60)
    provider.base_url = candidate.base_url
    provider.key_sealed = key and seal(table=KEY_TABLE, pk=provider.pk, column=KEY_COLUMN, text=key)
    provider.key_hint = key[-HINT:] if len(key) >= SHORTEST_HINTED else ""
    provider.reply_model = proof.model
    provider.cheap_model = proof.cheap_model
    provider.last_error = ""
    provider.circuit, provider.circuit_failures = Provider.Circuit.CLOSED, 0
    provider.circuit_until = None
    provider.bills_as = proof.bills_as
    provider.verified_at = GreenroomNow()
    provider.save()
    LLMCall.objects.filter(pk=proof.call_id).update(provider=provider)
    proven: dict[str, object] = {
        "name": provider.name,
        "model": proof.model,
        "cheap_model": proof.cheap_model,
        "seconds": proof.seconds,
        "cost_micros": proof.cost_micros,
    }
    _record("provider.proven", provider, by=by, payload=proven)


def _name_of(base_url: str, proof: Proof) -> str:
    netloc = urlsplit(base_url).netloc
    return f"{proof.program} at {netloc}" if proof.program else netloc


@transaction.atomic
def remove_provider(
    *, workspace: Workspace, provider_id: uuid.UUID | None = None, by: User
) -> None:
    """Disconnect a model server and forget its key; calls keep their record.

    Without an id it is the one that is asked first. Announces: `provider.removed`.

    Raises:
        NotFound: There is no such server here.
        Refused: The demo's rehearsal cannot be removed.
    """
    providers = _ordered(workspace, by)
    if not providers:
        raise NotFound
    provider = _one_of(providers, provider_id or providers[0].pk)
    name = provider.name
    Provider.objects.filter(pk=provider.pk).delete()
    _put_in_order([row for row in providers if row.pk != provider.pk])
    _record("provider.removed", provider, by=by, payload={"name": name})


@transaction.atomic
def ask_earlier(*, workspace: Workspace, provider_id: uuid.UUID, by: User) -> None:
    """Let a model server be asked before the one that is before it now.

    Announces: `provider.moved`; moving the first changes nothing.

    Raises:
        NotFound: There is no such server here.
        Refused: The demo asks its rehearsal only.
    """
    providers = _ordered(workspace, by)
    provider = _one_of(providers, provider_id)
    place = providers.index(provider)
    if place == 0:
        return
    providers.insert(place - 1, providers.pop(place))
    _put_in_order(providers)
    _record("provider.moved", provider, by=by, payload={"name": provider.name, "place": place - 1})


def _ordered(workspace: Workspace, by: User) -> list[Provider]:
    """Return the workspace's servers, locked against others who change them."""
    policy.require(by, Verb.MANAGE, workspace)
    if workspace.is_demo:
        raise Refused("The demo keeps its rehearsal model.")
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    return queries.providers_of(workspace)


def _one_of(providers: list[Provider], provider_id: uuid.UUID) -> Provider:
    found = next((row for row in providers if row.pk == provider_id), None)
    if found is None:
        raise NotFound
    return found


def _put_in_order(providers: list[Provider]) -> None:
    """Number them; the old first one steps back before the new one takes its place."""
    ids = [row.pk for row in providers]
    Provider.objects.filter(pk__in=ids[1:], is_default=True).update(is_default=False)
    for rank, pk in enumerate(ids):
        Provider.objects.filter(pk=pk).update(rank=rank, is_default=rank == 0)


def _record(event_type: str, provider: Provider, *, by: User, payload: dict[str, object]) -> None:
    events.record(
        type=event_type,
        subject_kind="provider",
        subject_id=provider.pk,
        workspace_id=provider.workspace_id,
        actor_id=by.pk,
        payload=payload,
    )


@transaction.atomic
def set_budget(
    *, workspace: Workspace, day_micros: int, agent: Agent | None = None, by: User
) -> Budget:
    """Set what a workspace, or one agent in it, may spend per day.

    Takes effect at once: a raised budget lets agents speak again today.
    Announces: `budget.changed`.

    Raises:
        Invalid: Below zero, or more than a million dollars.
        NotFound: The agent is not of this workspace.
    """
    policy.require(by, Verb.MANAGE, agent or workspace)
    if agent is not None and agent.workspace_id != workspace.pk:
        raise NotFound
    if not 0 <= day_micros <= MAX_DAY_MICROS:
        raise Invalid("A daily budget is between $0 and $1,000,000.")
    row, _ = Budget.objects.update_or_create(
        workspace=workspace, agent=agent, defaults={"day_micros": day_micros}
    )
    Spend.objects.filter(
        budget=row, day=queries.today_in(workspace), spent_micros__lt=day_micros
    ).update(exhausted_at=None)
    events.record(
        type="budget.changed",
        subject_kind="budget",
        subject_id=row.pk,
        workspace_id=workspace.pk,
        agent_id=agent.pk if agent else None,
        actor_id=by.pk,
        payload={"day_micros": day_micros},
    )
    return row
