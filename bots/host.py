"""One process that runs logins: leases them, keeps their connectors up, delivers for them."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from django.db import Error as DatabaseError

from agentapp.appservices.parcels import WAKE_CHANNEL as PARCELS
from agentapp.drafts.outbox import WAKE_CHANNEL as OUTBOUND
from agentapp.foundation.errors import AgentError, Refused
from agentapp.identity.models import Account
from agentapp.identity.services import leases
from agentapp.identity.services.leases import HealthReport, HeldAccount, Renewed
from agentapp.intake.departures import login_ended
from agentapp.presence.health import note_health
from bots.bridge import Bridge
from bots.cards import Cards
from bots.cargo import Cargo
from bots.connector import Connector
from bots.delivery import Delivery
from bots.errands import Errands
from bots.readers import ReaderMaker, Readers
from bots.sharing import Sharing
from bots.wakeups import hear_wake_ups

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two looks for logins that nobody runs
RENEW_SECONDS = 5.0  # a third of a lease
# A lease counts for less here than in the database: the renewal takes its time on the way.
TRUSTED_SECONDS = leases.LEASE_SECONDS - 2.0
STOP_SECONDS = 0.3  # for connectors to say goodbye
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
END_ATTEMPTS = 4  # to tell a platform that a login is over
NOT_TOLD = "The platform could not be told. End the session called Greenroom there yourself."

Maker = Callable[[HeldAccount, Bridge], Connector]


def machine_name() -> str:
    """Return this machine's name, or this container's, as far as it is part of a holder's."""
    return socket.gethostname()[:20]


def holder_name() -> str:
    """Return a name that no other process has or had; at most 40 characters."""
    return f"{machine_name()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass
class Running:
    """A login that this process runs."""

    account: HeldAccount
    connector: Connector
    task: asyncio.Task[None]


class Host:
    """Runs the logins of some platforms until it is told to stop.

    Args:
        makers: For each platform what makes a connector for one login.
        bridge: The way to the engine.
        readers: For each platform what reads that is handed over for many logins at once.
        rng: Spreads retries, so that a thousand logins do not come back in one moment.
    """

    def __init__(
        self,
        *,
        makers: Mapping[str, Maker],
        bridge: Bridge,
        readers: Mapping[str, ReaderMaker] | None = None,
        holder: str = "",
        rng: random.Random | None = None,
    ) -> None:
        self.holder = holder or holder_name()
        self.running: dict[uuid.UUID, Running] = {}
        self._makers = makers
        self._bridge = bridge
        self._rng = rng or random.Random()  # noqa: S311  (spreads retries, guards nothing)
        self._reports: list[HealthReport] = []
        self._served: dict[uuid.UUID, Connector] = {}
        self._down: set[uuid.UUID] = set()
        self._trusted_until = 0.0  # monotonic
        self._renewed_at = 0.0
        self._delivery = Delivery(
            bridge=bridge, holder=self.holder, connectors=self.served_connectors
        )
        self._errands = Errands(bridge=bridge, connectors=self.served_connectors)
        self._cards = Cards(bridge=bridge, connectors=self.served_connectors)
        self._cargo = Cargo(bridge=bridge, holder=self.holder, connectors=self.served_connectors)
        self._sharing = Sharing(is_busy=self._is_busy, let_go=self._let_go)
        self._readers = Readers(makers=readers or {}, bridge=bridge, holder=self.holder)

    def served_connectors(self) -> Mapping[uuid.UUID, Connector]:
        """Return what may be served now: nothing once the leases may have run out.

        What is for a login without its platform waits, instead of using up its attempts.
        """
        if time.monotonic() >= self._trusted_until:
            return {}
        unserved = self._down | self._sharing.leaving
        if not unserved:
            return self._served
        return {pk: one for pk, one in self._served.items() if pk not in unserved}

    def _wakes(self) -> dict[str, Callable[[], None]]:
        return {OUTBOUND: self._delivery.wake.set, PARCELS: self._readers.wake}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then end what is in flight and give the logins back."""
        logger.info("host %s starts with %s", self.holder, ", ".join(sorted(self._makers)))
        keeper = asyncio.create_task(self._keep_leases(stop))
        workers = [
            asyncio.create_task(self._delivery.run()),
            asyncio.create_task(hear_wake_ups(self._wakes())),
        ]
        await stop.wait()
        for worker in workers:
            worker.cancel()
        self._errands.stop()
        self._cards.stop()
        self._cargo.stop()
        await self._sharing.stop()
        await asyncio.gather(*workers, return_exceptions=True)
        await self._stop_all(list(self.running))
        # A lease taken at this very moment has to be known before all are given back.
        await asyncio.wait([keeper], timeout=STOP_SECONDS)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await self._readers.stop(seconds=STOP_SECONDS)
        with suppress(DatabaseError, TimeoutError):  # then they run out by themselves
            async with asyncio.timeout(STOP_SECONDS):
                given = await self._bridge.call(leases.give_back, holder=self.holder)
                logger.info("host %s stops and gives %d logins back", self.holder, given)

    async def _keep_leases(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.look_after_leases()
            except DatabaseError as error:
                logger.warning("leases wait for the database: %s", type(error).__name__)
            except Exception:  # without leases nothing here may go on, so this must
                logger.exception("the leases could not be looked after")
            if self.running and time.monotonic() >= self._trusted_until:
                logger.warning("host %s lost all its leases", self.holder)
                await self._stop_all(list(self.running))
            # `wait_for` may swallow a cancellation before Python 3.12:
            # https://github.com/python/cpython/issues/86296
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()

    async def look_after_leases(self) -> None:
        """Renew what is due, take what is free, and pass on how the logins fare."""
        asked = time.monotonic()
        if asked - self._renewed_at >= RENEW_SECONDS:
            renewed = await self._bridge.call(
                leases.renew, holder=self.holder, platforms=list(self._makers)
            )
            self._renewed_at, self._trusted_until = asked, asked + TRUSTED_SECONDS
            await self._agree_with(renewed)
        taken = await self._bridge.call(
            leases.take_free, holder=self.holder, platforms=list(self._makers)
        )
        if taken:
            logger.info("host %s takes %d logins", self.holder, len(taken))
            await self._stop_all([one.account_id for one in taken])
            for account in taken:
                self._start(account)
            self._delivery.wake.set()
            await asyncio.sleep(0)  # local ones are up at once; tell of it in this round
        await self._pass_on_reports()
        await self._errands.look()
        await self._cards.look()
        await self._cargo.look()
        await self._readers.look()

    async def _agree_with(self, renewed: Renewed) -> None:
        """Stop what was lost, and give to others what is theirs or what nobody runs here."""
        held = renewed.fences
        lost = [pk for pk, one in self.running.items() if held.get(pk) != one.account.fence]
        if lost:
            logger.info("host %s no longer has %d logins", self.holder, len(lost))
            await self._stop_all(lost)
        idle = held.keys() - self.running.keys() - self._sharing.leaving
        self._sharing.give([*idle, *renewed.surplus])

    def _is_busy(self, account_id: uuid.UUID) -> bool:
        return self._delivery.is_busy_with(account_id) or self._errands.is_busy_with(account_id)

    async def _let_go(self, account_ids: list[uuid.UUID]) -> None:
        await self._stop_all(account_ids)
        give_back = partial(leases.give_back, holder=self.holder, accounts=account_ids)
        given = await self._bridge.call(give_back)
        logger.info("host %s gives %d logins to others", self.holder, given)

    def _start(self, account: HeldAccount) -> None:
        connector = self._makers[account.platform](account, self._bridge)
        work = self._see_off if account.is_ending else self._keep_up
        task = asyncio.create_task(work(account, connector))
        self.running[account.account_id] = Running(account, connector, task)
        self._served[account.account_id] = connector
        self._down.add(account.account_id)  # until it has shown who it is

    async def _keep_up(self, account: HeldAccount, connector: Connector) -> None:
        """Keep one login connected, waiting longer after each failure."""
        log = logging.getLogger(f"bots.{account.platform}.{account.external_id}")
        delay = FIRST_RETRY_SECONDS
        while True:
            started = time.monotonic()
            health, reason = Account.Health.FAILING, "It ended by itself."
            try:
                await self._connect(account, connector)
            except Refused as error:
                health, reason = Account.Health.LOST, error.message
            except AgentError as error:
                reason = error.message
            except Exception as error:  # a platform's trouble stays with its login
                log.exception("the connector failed")
                reason = type(error).__name__
            if self._served.get(account.account_id) is not connector:
                return  # stopped on purpose
            if time.monotonic() - started > LAST_RETRY_SECONDS:
                delay = FIRST_RETRY_SECONDS
            self._down.add(account.account_id)
            self._report(account, health, reason)
            wait = delay * self._rng.uniform(0.5, 1.0)
            log.warning("failing, again in %.1f s: %s", wait, reason)
            await asyncio.sleep(wait)
            delay = min(delay * 2, LAST_RETRY_SECONDS)

    async def _connect(self, account: HeldAccount, connector: Connector) -> None:
        found = await connector.verify()
        if found != account.external_id:
            raise Refused(f"This login belongs to {found!r}, not to {account.external_id!r}.")
        self._down.discard(account.account_id)
        self._delivery.wake.set()
        self._report(account, Account.Health.OK)
        await connector.start(partial(self._bridge.accept, account.account_id))

    async def _see_off(self, account: HeldAccount, connector: Connector) -> None:
        """Give a login back to its platform; one that cannot be told is over all the same."""
        log = logging.getLogger(f"bots.{account.platform}.{account.external_id}")
        error, delay = NOT_TOLD, FIRST_RETRY_SECONDS
        for _ in range(END_ATTEMPTS):
            try:
                if await connector.verify() == account.external_id:
                    await connector.end()
                error = ""
            except Refused:
                error = ""  # there is nothing left of it to give back
            except Exception as trouble:  # noqa: BLE001  (the next attempt may do)
                log.info("it cannot be given back yet: %s", type(trouble).__name__)
            if not error:
                break
            await asyncio.sleep(delay)
            delay *= 2
        over = partial(login_ended, account_id=account.account_id, fence=account.fence, error=error)
        await self._bridge.call(over)

    def _report(self, account: HeldAccount, health: Account.Health, error: str = "") -> None:
        self._reports.append(HealthReport(account.account_id, account.fence, health, error))

    async def _pass_on_reports(self) -> None:
        # One row may change once in a statement, so only the latest word on a login counts.
        count = len(self._reports)
        latest = {report.account_id: report for report in self._reports}
        if latest:
            await self._bridge.call(note_health, holder=self.holder, reports=list(latest.values()))
            del self._reports[:count]

    async def _stop_all(self, account_ids: list[uuid.UUID]) -> None:
        gone = [self.running.pop(pk) for pk in account_ids if pk in self.running]
        for one in gone:
            del self._served[one.account.account_id]
            self._down.discard(one.account.account_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(
                    *(one.connector.stop() for one in gone), return_exceptions=True
                )
        for one in gone:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in gone), return_exceptions=True)
