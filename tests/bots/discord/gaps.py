"""A bot whose gateway breaks again and again, while people talk on in every gap."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q

from agentapp.conversation.models import Message
from agentapp.drafts.models import Outbound
from agentapp.identity.models import Account, Agent
from agentapp.identity.services.rooms import set_reply_mode
from bots.bridge import Bridge
from tests.bots.discord.world import discord_host, let_into, login_agent, record_of, room_of
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.connecting import connect, give_budget
from tests.fakes.discord import Bot, Discord, Person, Place
from tests.fakes.model_server import ModelServer
from tests.faults import roles
from tests.faults.storm import answer, tokens

KINDS = (
    "cut",  # no word, and the session goes on
    "forgotten",  # no word, and the session is gone
    "asked to reconnect",
    "invalid",
    "invalid for now",
    "silent for good",  # open, and nothing comes any more
    "silent for a while",
    "outage",  # requests fail as well
    "restart",  # of the process; it ends and begins anew
)
LATE = {"forgotten", "silent for good"}  # then it takes a while to fetch what was missed
LATE_TIMES = 6
HISTORY = "GET /channels/{channel}/messages"
SHORTEST, LONGEST = 1.0, 7_200.0  # seconds
FRESH, STALE = 28 * 60.0, 32 * 60.0  # half an hour counts; nothing is asked so close to it
BURST, BURST_EVERY = 130, 9  # messages, more than a page; gaps
DIRECT_EVERY = 3  # gaps
QUIET = 60.0  # seconds between two gaps
ASKERS = 8  # so that nobody asks more often than is answered
READ_SECONDS = 60.0
ASIDE = "between us"


class Gap(NamedTuple):
    """One time without the gateway."""

    kind: str
    seconds: float  # of everybody's clock
    chatter: int  # messages to others in it


@dataclass
class Talk:
    """What people said in one place, and what of it has to be answered."""

    place: Place
    said: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What Discord and the record show. Of the lists every one should be empty."""

    gaps: int
    messages: int
    answers: int
    sessions: int
    seconds: float  # of everybody's clock that passed in gaps
    lost: tuple[str, ...]  # said and not on record, or not answered in time
    doubled: tuple[str, ...]
    reordered: tuple[str, ...]
    unwanted: tuple[str, ...]  # answered though it was too late

    @property
    def is_clean(self) -> bool:
        """Say whether nothing went wrong."""
        return not (self.lost or self.doubled or self.reordered or self.unwanted)


def gaps(number: int, *, seed: int = 30) -> list[Gap]:
    """Return gaps of every kind and length: as many of seconds as of minutes and of hours."""
    rng = random.Random(seed)  # noqa: S311 - it only spreads them
    made = []
    for n in range(number):
        seconds = SHORTEST * (LONGEST / SHORTEST) ** rng.random()
        if FRESH < seconds < STALE:
            seconds = FRESH
        chatter = BURST if n % BURST_EVERY == BURST_EVERY - 2 else 3
        made.append(Gap(KINDS[n % len(KINDS)], seconds, chatter))
    shortest, longest = made[0], made[-1]
    made[0], made[-1] = (
        shortest._replace(seconds=SHORTEST),
        longest._replace(seconds=LONGEST),
    )
    return made


class GapStorm:
    """People in a channel and one in a direct chat; the agent answers those who ask it."""

    def __init__(self, *, cast: Cast, discord: Discord, server: ModelServer) -> None:
        server.reply = answer
        connect(cast.workspace, server)
        give_budget(cast.workspace, 10**12)
        Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={"message": "auto"})
        self._cast = cast
        self._discord = discord
        self._bot: Bot = discord.bot("ada")
        pond = discord.guild("Pond", self._bot)
        self._askers = [pond.member(f"asker{n}") for n in range(ASKERS)]
        self._other: Person = pond.member("ben")
        self._tea = Talk(pond.channel("tea"))
        self._direct = Talk(self._askers[0].dm(self._bot))
        self._asked = 0
        self._passed = 0.0
        self._gaps = 0
        discord.beat_every(0.5)
        login_agent(cast, cast.ada, self._bot)

    def rage(self, gaps: list[Gap]) -> Found:
        """Go through the gaps one after the other, and read what came of it."""
        run(partial(self._rage, gaps))
        return self.found()

    async def _rage(self, gaps: list[Gap], bridge: Bridge) -> None:
        async with AsyncExitStack() as host:
            await host.enter_async_context(discord_host(bridge))
            await self._settle_in(bridge)
            for gap in gaps:
                if gap.kind == "restart":
                    await host.aclose()
                    await bridge.call(self._talk_in, gap)
                    await host.enter_async_context(discord_host(bridge))
                else:
                    await bridge.call(self._go_through, gap)
                await self._catch_up(bridge)
                await bridge.call(self._let_pass, QUIET)

    async def _settle_in(self, bridge: Bridge) -> None:
        await let_into(bridge, self._cast, self._cast.ada, self._tea.place)
        await bridge.call(self._says, self._direct, self._askers[0], ASIDE)
        await eventually(bridge, partial(record_of, self._direct.place), [ASIDE])
        for talk in (self._tea, self._direct):
            await bridge.call(self._answers_at_once, talk)
        await bridge.call(roles.work)  # who writes privately is answered, whatever it is
        await eventually(bridge, _unsent, 0)

    def _answers_at_once(self, talk: Talk) -> None:
        set_reply_mode(room_id=room_of(talk.place).pk, mode="own", by=self._cast.root)

    async def _catch_up(self, bridge: Bridge) -> None:
        """Wait until all is on record, let the agent think and wait until it has spoken."""
        await eventually(bridge, self._unread, 0, seconds=READ_SECONDS)
        await bridge.call(roles.work)
        await eventually(bridge, _unsent, 0, seconds=READ_SECONDS)

    def _go_through(self, gap: Gap) -> None:
        begun = self._begun()
        if gap.kind in LATE:
            self._discord.fails(HISTORY, 503, times=LATE_TIMES)
        with self._without_gateway(gap.kind):
            self._talk_in(gap)
        if gap.kind != "silent for a while":
            self._discord.until(lambda: self._is_back(begun), READ_SECONDS)
        # Heard right after what was missed is fetched, or before.
        self._says(self._tea, self._other, f"back from gap {self._gaps}, ben")

    def _is_back(self, begun: int) -> bool:
        """Say whether a session goes on or has begun; an attempt at it is not enough."""
        return self._begun() > begun and self._discord.connections > 0

    def _begun(self) -> int:
        return self._discord.heard["identify"] + self._discord.heard["resume"]

    def _without_gateway(self, kind: str) -> AbstractContextManager[None]:
        there, bot = self._discord, self._bot
        ways: dict[str, AbstractContextManager[None]] = {
            "cut": there.go_away(),
            "forgotten": there.gap(bot),
            "asked to reconnect": there.go_away(there.ask_to_reconnect),
            "invalid": there.go_away(there.invalidate_session),
            "invalid for now": there.go_away(partial(there.invalidate_session, resumable=True)),
            "silent for good": there.go_silent(for_good=True),
            "silent for a while": there.go_silent(for_good=False),
            "outage": there.outage(),
        }
        return ways.get(kind, nullcontext())

    def _talk_in(self, gap: Gap) -> None:
        """Ask at both ends of a gap and talk to somebody else between."""
        self._gaps += 1
        is_fresh = gap.seconds <= FRESH and gap.chatter < BURST
        self._asks(self._tea, is_answered=is_fresh)
        if self._gaps % DIRECT_EVERY == 0:
            self._asks(self._direct, is_answered=gap.seconds <= FRESH)
        for n in range(gap.chatter):
            self._says(
                self._tea, self._askers[-1], f"{self._other.mention} {self._gaps}.{n}, did you see?"
            )
        self._let_pass(gap.seconds)
        self._passed += gap.seconds
        self._asks(self._tea, is_answered=True)

    def _asks(self, talk: Talk, *, is_answered: bool) -> None:
        self._asked += 1
        token = f"q{self._asked:04}"
        is_direct = talk is self._direct
        asker = self._askers[0 if is_direct else self._asked % (ASKERS - 2) + 1]
        name = "" if is_direct else f"{self._bot.mention} "
        self._says(talk, asker, f"{name}what about {token}?")
        if is_answered:
            talk.expected.append(token)

    def _says(self, talk: Talk, who: Person, text: str) -> None:
        who.says(talk.place, text)
        for mention, name in ((self._bot.mention, "@ada"), (self._other.mention, "@Ben")):
            text = text.replace(mention, name)  # as it is read
        talk.said.append(text)

    def _let_pass(self, seconds: float) -> None:
        """Move Discord's clock and the database's, and the leases that are renewed meanwhile."""
        self._discord.advance(seconds)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [seconds]
            )
            held = Account.objects.exclude(lease_until=None)
            held.update(lease_until=F("lease_until") + timedelta(seconds=seconds))

    def _unread(self) -> int:
        said = sum(len(talk.said) for talk in self._talks)
        return (
            said
            - Message.objects.filter(
                author__agent=None, room__platform="discord", is_known=True
            ).count()
        )

    @property
    def _talks(self) -> tuple[Talk, Talk]:
        return self._tea, self._direct

    def found(self) -> Found:
        """Compare what was said with the record, and what Discord shows with what was asked."""
        lost, doubled, reordered, unwanted, answers = [], [], [], [], 0
        for talk in self._talks:
            recorded = [text for text in record_of(talk.place) if text in set(talk.said)]
            heard = [
                token
                for one in talk.place.messages()
                if one.author == "ada"
                for token in tokens(one.text)
            ]
            answers += len(heard)
            for due, there in ((talk.said, recorded), (talk.expected, heard)):
                lost += [each for each in due if each not in set(there)]
                doubled += [each for each, n in Counter(there).items() if n > 1]
                if list(dict.fromkeys(there)) != [each for each in due if each in set(there)]:
                    reordered.append(str(talk.place.id))
            unwanted += [token for token in heard if token not in set(talk.expected)]
        return Found(
            gaps=self._gaps,
            messages=sum(len(talk.said) for talk in self._talks),
            answers=answers,
            sessions=self._bot.identifies,
            seconds=self._passed,
            lost=tuple(lost),
            doubled=tuple(doubled),
            reordered=tuple(reordered),
            unwanted=tuple(unwanted),
        )


def _unsent() -> int:
    state = Outbound.State
    waits = Q(state__in=[state.QUEUED, state.PUBLISHING, state.UNKNOWN])
    return Outbound.objects.filter(waits | Q(state=state.FAILED, lease_until__isnull=False)).count()
