"""Kills of the process that serves a bot; only Discord is asked what arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

from agentapp.drafts.models import Draft
from agentapp.foundation.envelope import Outgoing, Receipt
from bots.bridge import Bridge
from bots.discord.client import DiscordConnector
from tests.bots.discord.world import answers, discord_host, let_into, login_agent, record_of
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Person, Place
from tests.faults.victims import Nursery, nursery

READING = ("batch.written", "batch.committed")
WRITING = ("claim.written", "piece.leaving", "piece.left", "piece.marked", "piece.settled")
BURST = 150  # messages during the first cut; more than one page
EACH = 5  # kills while reading
LATER = 4  # messages during each of the others
SECONDS = 20.0  # that a victim gets to reach its point
LEASES_PASS = 20.0  # seconds


@dataclass
class Found:
    """What was said on either side, and what Discord and the record show of it."""

    said: list[str]
    recorded: list[str]
    answered: list[str]
    heard: list[str]


@pytest.fixture(autouse=True)
def clock_as_it_was(live_cast: Cast) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = '0'")


@dataclass
class Storm:
    """Ann talks while the process that serves Ada's bot is killed again and again."""

    cast: Cast
    discord: Discord
    ann: Person
    bot: Bot
    tea: Place

    def rage(
        self,
        victims: Nursery,
        points: tuple[str, ...],
        *,
        burst: int = BURST,
        maker: type[DiscordConnector] = DiscordConnector,
    ) -> Found:
        said, answered = [], []
        run(self._settle_in)
        there = {"api": self.discord.api_url, "gateway": self.discord.gateway_url}
        for n, point in enumerate(points):
            for place in range(burst if n == 0 else LATER):
                said.append(f"{n}.{place}")
                self.ann.says(self.tea, said[-1])
            answered.append(f"answer {n}")
            last = answers(self.cast.ada, self.tea, answered[-1])
            ended = victims.run("serve_discord", point=point, seconds=SECONDS, **there)
            assert ended.killed, point
            self._let_leases_pass()
        said.append("the end")
        self.ann.says(self.tea, said[-1])
        run(lambda bridge: self._calm(bridge, maker, last, said[-1]))
        heard = [one.text for one in self.tea.messages() if one.author == "ada"]
        return Found(said, record_of(self.tea), answered, heard)

    async def _settle_in(self, bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, self.cast, self.cast.ada, self.tea)

    async def _calm(
        self, bridge: Bridge, maker: type[DiscordConnector], last_draft: Draft, last_word: str
    ) -> None:
        async with discord_host(bridge, maker):
            await eventually(bridge, lambda: last_word in record_of(self.tea), True, seconds=30)
            await eventually(bridge, lambda: status_of(last_draft), "published", seconds=30)

    @staticmethod
    def _let_leases_pass() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)",
                [LEASES_PASS],
            )


@pytest.fixture
def storm(live_cast: Cast, discord: Discord) -> Storm:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    login_agent(live_cast, live_cast.ada, bot)
    return Storm(live_cast, discord, pond.member("ann"), bot, pond.channel("tea"))


def heard_by_people(found: Found) -> list[str]:
    return [word for word in found.recorded if word in set(found.said)]


def test_bursts_between_kills_and_answers_under_them_are_there_once_and_in_order(
    storm: Storm, tmp_path: Path
) -> None:
    with nursery(log=tmp_path / "log") as victims:
        found = storm.rage(victims, (*READING * EACH, *WRITING))
    assert heard_by_people(found) == found.said
    assert found.heard == found.answered


class NeverLooksBack(DiscordConnector):
    """Sends again what may have arrived."""

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        return None


MAKERS = {"mark_before_the_messages": DiscordConnector, "no_nonce": NeverLooksBack}


@pytest.mark.parametrize(
    ("mutation", "points"),
    [("mark_before_the_messages", READING[:1]), ("no_nonce", ("piece.left",))],
)
def test_without_its_guard_the_same_storm_shows_harm(
    storm: Storm, tmp_path: Path, mutation: str, points: tuple[str, ...]
) -> None:
    with nursery(log=tmp_path / "log", mutation=mutation) as victims:
        found = storm.rage(victims, points, burst=LATER, maker=MAKERS[mutation])
    lost = heard_by_people(found) != found.said
    doubled = found.heard != found.answered
    assert (lost, doubled) == (mutation == "mark_before_the_messages", mutation == "no_nonce")
