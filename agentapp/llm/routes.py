"""Which server and model answers a question, and at what price."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

from agentapp.foundation.secrets import SecretUnreadable, unseal
from agentapp.llm.adapters.protocol import FailureKind, Target
from agentapp.llm.errors import ProviderUnavailable
from agentapp.llm.models import LLMCall, Provider
from agentapp.llm.prices import known_price
from agentapp.llm.rules.money import Level, Price, cost_micros
from agentapp.llm.rules.picking import same_model
from agentapp.llm.rules.pictures import is_known_to_read

KEY_TABLE, KEY_COLUMN = "agentapp_provider", "key_sealed"
_SMALL_WORK = {LLMCall.Purpose.DECIDE, LLMCall.Purpose.SCREEN, LLMCall.Purpose.SUMMARISE}


@dataclass(frozen=True, slots=True)
class Route:
    """One model on one server.

    Attributes:
        price: Of the model that is asked.
        provider_pk: None while a new server is being proven.
        dearer_model: With which the server answered instead; "" when it never did.
        dearer: That model's price.
    """

    kind: str
    target: Target
    model: str
    price: Price
    provider_pk: uuid.UUID | None
    is_demo: bool = False
    had_error: bool = False
    dearer_model: str = ""
    dearer: Price | None = None

    def most_micros(self, *, tokens_in: int, tokens_out: int) -> int:
        """Return what so many tokens cost by the dearer of the prices that may be billed."""
        prices = [self.price] if self.dearer is None else [self.price, self.dearer]
        return max(
            cost_micros(price, tokens_in=tokens_in, tokens_out=tokens_out) for price in prices
        )


def models_for(provider: Provider, *, purpose: str, level: Level) -> list[str]:
    """Return the models to try, in order; the second is taken when the first is too dear now."""
    names = all_models(provider)
    return names[-1:] if purpose in _SMALL_WORK or level is not Level.OK else names


def all_models(provider: Provider) -> list[str]:
    """Return every model that may be tried on a server."""
    return list(dict.fromkeys([provider.reply_model, provider.cheap_model or provider.reply_model]))


def route_to(provider: Provider, *, model: str, day: date, is_demo: bool) -> Route:
    """Return the way to one of a provider's models, its key opened.

    Raises:
        ProviderUnavailable: The key was sealed for another row, or with a key of ours that is
            gone.
    """
    kind, base_url = provider.kind, provider.base_url
    billed = provider.bills_as.get(model, "")
    return Route(
        kind=kind,
        target=Target(
            str(provider.pk),
            base_url=base_url,
            key=opened_key(provider),
            reads_pictures=reads_pictures(provider, model),
        ),
        model=model,
        price=known_price(kind=kind, base_url=base_url, model=model, day=day),
        provider_pk=provider.pk,
        is_demo=is_demo,
        had_error=bool(provider.last_error),
        dearer_model=billed,
        dearer=known_price(kind=kind, base_url=base_url, model=billed, day=day) if billed else None,
    )


def reads_pictures(provider: Provider, model: str) -> bool:
    """Say whether a model on a server gets pictures: as set, else as its name is known."""
    if provider.pictures == Provider.Pictures.AUTO:
        return is_known_to_read(model)
    return provider.pictures == Provider.Pictures.YES


def opened_key(provider: Provider) -> str:
    """Return a provider's key; "" when it needs none."""
    if not provider.key_sealed:
        return ""
    try:
        return unseal(
            table=KEY_TABLE, pk=provider.pk, column=KEY_COLUMN, sealed=provider.key_sealed
        )
    except SecretUnreadable as error:
        raise ProviderUnavailable(
            "The stored key cannot be opened any more. Paste it again under Settings.",
            kind=FailureKind.KEY,
        ) from error


def price_of_another(route: Route, served: str, *, day: date) -> Price | None:
    """Return the price of a model that answered in place of the one that was asked.

    Returns:
        None when it is the same one, or a version of it, or asking there costs nothing.
    """
    if route.price.is_free or not served or same_model(served, route.model):
        return None
    return known_price(kind=route.kind, base_url=route.target.base_url, model=served, day=day)
