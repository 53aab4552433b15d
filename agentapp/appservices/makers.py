"""The platforms whose servers can hand over to an application service; their connectors say how."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from agentapp.foundation.errors import NotFound
from agentapp.identity.platforms import Proven


@dataclass(frozen=True, slots=True)
class Service:
    """An application service in plain words; never logged.

    Attributes:
        url: Where the homeserver reaches this host.
        own_token: This host's, towards the homeserver. their_token: The homeserver's, towards it.
    """

    id: uuid.UUID
    domain: str
    address: str
    prefix: str
    url: str
    own_token: str = field(repr=False)
    their_token: str = field(repr=False)


class ServiceMaker(Protocol):
    """What a platform does about application services. Nothing of it runs inside a transaction."""

    code: str

    def find(self, domain: str, address: str) -> str:
        """Return the checked address of a homeserver.

        Args:
            address: As typed; "" to find it by its domain.

        Raises:
            WrongAnswer: Nothing there is one. Unavailable: It cannot be told at the moment.
        """

    def registration(self, service: Service) -> str:
        """Return the file that the homeserver's admin installs."""

    def enroll(self, service: Service, *, localpart: str, name: str) -> Proven:
        """Make a user of the namespace, or find it made; return it as a login.

        Raises:
            WrongAnswer: That name cannot be had. Unavailable: The homeserver does not know the
                service yet, or does not answer.
        """


_KNOWN: dict[str, ServiceMaker] = {}


def offer(maker: ServiceMaker) -> None:
    """Make known that a platform has application services. Offering it again replaces it."""
    _KNOWN[maker.code] = maker


def offered() -> list[str]:
    """Return the platforms that have application services."""
    return sorted(_KNOWN)


def maker_for(platform: str) -> ServiceMaker:
    """Return what a platform does about them.

    Raises:
        NotFound: It has none.
    """
    if platform not in _KNOWN:
        raise NotFound
    return _KNOWN[platform]
