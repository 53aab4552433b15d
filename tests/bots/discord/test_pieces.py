"""Long words come in pieces, and files come with words."""

from __future__ import annotations

from functools import partial

import pytest

from agentapp.conversation.models import Attachment
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, approve, attach, propose
from agentapp.files.queries import content_of
from agentapp.files.services import Given
from agentapp.identity.models import Agent
from bots.bridge import Bridge
from tests.bots.discord.world import (
    answers,
    discord_host,
    let_into,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Person, Place

pytestmark = pytest.mark.usefixtures("login")


def test_long_words_come_in_pieces_that_discord_takes_and_only_the_first_answers(
    live_cast: Cast, tea: Place, ann: Person
) -> None:
    code = "\n".join(f"print({number})" for number in range(500))
    text = f"So:\n```python\n{code}\n```\n{'🫖' * 500}"

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            asked = await bridge.call(ann.says, tea, "How?")
            await eventually(bridge, partial(record_of, tea), ["How?"])
            draft = await bridge.call(partial(answers, live_cast.ada, tea, text, to=asked.id))
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)

    run(work)
    pieces = tea.messages()[1:]
    assert len(pieces) == 3
    assert all(len(one.text) <= 2000 and one.text.count("```") % 2 == 0 for one in pieces)
    assert [one.answers is not None for one in pieces] == [True, False, False]
    assert [one.mentions for one in pieces] == [{"ann"}, set(), set()]


def test_files_come_and_go(live_cast: Cast, tea: Place, ann: Person) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(partial(ann.says, tea, "My list", files={"list.txt": b"tea\nmilk\n"}))
            await eventually(bridge, fetched, b"tea\nmilk\n", seconds=20)
            draft = await bridge.call(partial(waits, live_cast, tea))
            given = Given("plan.csv", b"a,b\n")
            put = partial(
                attach, draft_id=draft.pk, version=draft.version, given=given, by=live_cast.root
            )
            seen = await bridge.call(put)
            await bridge.call(
                partial(
                    approve,
                    draft_id=seen.pk,
                    version=seen.version,
                    content_hash=seen.content_hash,
                    by=live_cast.root,
                )
            )
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)

    def fetched() -> bytes | None:
        stored = Attachment.objects.values_list("file_id", flat=True).first()
        return content_of(stored) if stored else None

    run(work)
    assert [one.files for one in tea.messages()[1:]] == [{}, {"plan.csv": b"a,b\n"}]


def waits(cast: Cast, place: Place) -> Draft:
    """Let the agent want to say something that waits for its owner, who needs no second thought."""
    Agent.objects.filter(pk=cast.ada.pk).update(limits={"undo_seconds": 0})
    room = room_of(place).pk
    return propose(
        Wish(turn=None, agent_id=cast.ada.pk, room_id=room, text="Here.", kind="message")
    )
