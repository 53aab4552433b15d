from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from agentapp.identity.models import User
from tests.cast import Cast

Visit = Callable[[User], Client]


@pytest.fixture
def visit() -> Visit:
    """Log somebody in and return their browser."""

    def log_in(user: User) -> Client:
        client = Client(enforce_csrf_checks=False)
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    return log_in


@pytest.fixture
def root(cast: Cast, visit: Visit) -> Client:
    """The owner's browser."""
    return visit(cast.root)


@pytest.fixture
def sam(cast: Cast, visit: Visit) -> Client:
    """A member's browser."""
    return visit(cast.sam)


@pytest.fixture
def olga(cast: Cast, visit: Visit) -> Client:
    """The browser of somebody who owns another workspace."""
    return visit(cast.olga)
