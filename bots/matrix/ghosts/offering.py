"""What the pages let an owner do with application services, as the engine asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from agentapp.appservices.makers import Service
from agentapp.foundation.errors import Unavailable
from agentapp.identity.platforms import VERIFY_SECONDS, Proven

T = TypeVar("T")


class MatrixServices:
    """Application services on Matrix homeservers.

    What does the work is loaded when it is needed: every process makes this known at its start.
    """

    code = "matrix"

    def find(self, domain: str, address: str) -> str:
        """Return the homeserver's address."""
        from bots.matrix.proving import found_homeserver  # noqa: PLC0415

        question = "address" if address else "domain"
        return _run(found_homeserver(address or domain, question=question))

    def registration(self, service: Service) -> str:
        """Return the registration file."""
        from bots.matrix.ghosts.making import registration  # noqa: PLC0415

        return registration(service)

    def enroll(self, service: Service, *, localpart: str, name: str) -> Proven:
        """Make a user of the namespace."""
        from bots.matrix.ghosts.making import enrolled  # noqa: PLC0415
        from bots.matrix.login import packed  # noqa: PLC0415

        login = _run(enrolled(service, localpart, name))
        # One token speaks for all of them; what is here once is the token together with the user.
        token = f"{service.own_token}:{login.user_id}"
        return Proven(login.user_id, packed(login), token=token)


def _run(work: Coroutine[Any, Any, T]) -> T:
    async def in_time() -> T:
        async with asyncio.timeout(VERIFY_SECONDS):
            return await work

    try:
        return asyncio.run(in_time())
    except TimeoutError as error:
        raise Unavailable(
            "The homeserver is too slow to answer at the moment. Try again later."
        ) from error
