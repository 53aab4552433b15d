"""With what questions may be answered: servers, prices and money, read for many at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from agentapp.foundation import clock
from agentapp.foundation.gathering import Gathered
from agentapp.identity.models import Workspace
from agentapp.llm import calls, queries, routes
from agentapp.llm.errors import ProviderUnavailable
from agentapp.llm.models import Provider
from agentapp.llm.purses import Payer, Purse, purses_of
from agentapp.llm.routes import Route
from agentapp.llm.rules import days, money
from agentapp.llm.rules.money import Level
from agentapp.llm.tickets import Question


@dataclass(frozen=True, slots=True)
class Means:
    """What a question may use.

    Attributes:
        providers: Who may answer, the first to be asked first.
        purses: The budgets it must fit, in the order they are taken.
        is_new: Nobody has asked with its key before.
        ways: By provider and model; what stands in the way of one shows when it is taken.
    """

    workspace: Workspace
    providers: Sequence[Provider]
    purses: list[Purse]
    is_new: bool
    ways: dict[tuple[uuid.UUID, str], Route | ProviderUnavailable] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """Return how the worst of the budgets stands."""
        return money.worst(purse.level for purse in self.purses)

    def ways_to(self, provider: Provider, *, purpose: str) -> list[Route]:
        """Return the models to try on a server, in their order.

        Raises:
            ProviderUnavailable: Its key cannot be opened.
        """
        names = routes.models_for(provider, purpose=purpose, level=self.level)
        found = [self.ways[provider.pk, name] for name in names]
        for way in found:
            if isinstance(way, ProviderUnavailable):
                raise ProviderUnavailable(way.message, kind=way.kind)
        return [way for way in found if isinstance(way, Route)]


def _read(questions: Sequence[Question]) -> list[Means]:
    """Read for many questions in as many queries as for one, if they share a workspace."""
    known = calls.known_keys([question.key for question in questions])
    workspaces = {pk: queries.workspace_row.get(workspace_id=pk) for pk in _workspaces(questions)}
    providers = {pk: queries.providers_of(row) for pk, row in workspaces.items()}
    now = clock.now()
    today = {pk: days.local_day(now, row.timezone) for pk, row in workspaces.items()}
    payers = [
        Payer(workspaces[each.workspace_id], each.agent_id, today[each.workspace_id])
        for each in questions
    ]

    @cache
    def ways(workspace_id: int) -> dict[tuple[uuid.UUID, str], Route | ProviderUnavailable]:
        workspace, day = workspaces[workspace_id], today[workspace_id]
        return {
            (provider.pk, name): _way(provider, name, day=day, is_demo=workspace.is_demo)
            for provider in providers[workspace_id]
            for name in routes.all_models(provider)
        }

    return [
        Means(
            workspace=payer.workspace,
            providers=providers[question.workspace_id],
            purses=purses,
            is_new=question.key not in known,
            ways=ways(question.workspace_id),
        )
        for question, payer, purses in zip(questions, payers, purses_of(payers), strict=True)
    ]


means_for = Gathered(_read)


def _workspaces(questions: Sequence[Question]) -> set[int]:
    return {question.workspace_id for question in questions}


def _way(provider: Provider, name: str, *, day: date, is_demo: bool) -> Route | ProviderUnavailable:
    try:
        return routes.route_to(provider, model=name, day=day, is_demo=is_demo)
    except ProviderUnavailable as failure:
        return failure
