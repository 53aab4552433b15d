"""What is private goes into the direct room, else by a link that opens once within ten minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from agentapp.commands.models import CommandCall
from agentapp.commands.services import carry_out
from agentapp.drafts.models import Draft
from agentapp.events.models import Event
from agentapp.foundation import clock
from tests.agentapp.commands.asking import call
from tests.agentapp.engine.stage import Stage
from tests.cast import Cast


def link_in(words: str) -> str:
    (address,) = (word for word in words.split() if "/answer/" in word)
    return address[address.index("/answer/") :]


@pytest.fixture
def link(cast: Cast) -> str:
    """Where what Sam asked for in the lounge can be read."""
    answer = carry_out(call(cast, "help"))
    draft = Draft.objects.get()
    assert draft.room == cast.lounge
    assert answer.words not in draft.text
    assert "once, within ten minutes" in draft.text
    return link_in(draft.text)


def test_one_press_opens_it_and_looking_spends_nothing(link: str, client: Client) -> None:
    for _ in range(3):
        looked = client.get(link)
        assert looked.status_code == 200
        assert "What you can ask for" not in looked.content.decode()
        assert "no-store" in looked["Cache-Control"]
    assert client.head(link).status_code == 405
    assert "What you can ask for" in client.post(link).content.decode()
    assert [client.post(link).status_code, client.get(link).status_code] == [410, 410]
    assert CommandCall.objects.get().words == ""
    assert Event.objects.filter(type="command.opened").count() == 1


def test_after_ten_minutes_it_is_closed(link: str, client: Client) -> None:
    CommandCall.objects.update(words_until=clock.now() + timedelta(minutes=10))
    with clock.shifted(timedelta(minutes=10, seconds=1)):
        assert [client.get(link).status_code, client.post(link).status_code] == [410, 410]


@pytest.mark.parametrize("token", ["x", "a" * 5_000, "%00", "..%2f", "\u202e"])
def test_no_other_link_opens_anything(link: str, client: Client, token: str) -> None:
    assert client.post(f"/answer/{token}/").status_code in {404, 410}
    assert CommandCall.objects.get().words


def test_the_token_is_kept_as_its_hash_only(link: str) -> None:
    token = link.split("/")[2]
    (values,) = CommandCall.objects.values()
    assert token not in str(values)


def test_where_they_are_alone_it_is_said_there_and_no_link_is_made(cast: Cast) -> None:
    direct = Stage(cast).direct_room(cast.bo, cast.sam)
    answer = carry_out(call(cast, "help"))
    draft = Draft.objects.get()
    assert (draft.room, draft.agent, draft.text) == (direct, cast.bo, answer.words)
    assert answer.agent_id == cast.bo.pk
    assert CommandCall.objects.get().token_hash is None


def test_what_is_remembered_never_goes_by_a_link(cast: Cast) -> None:
    for n, command in enumerate(("mydata", "forget", "stop", "quiet", "neverremember")):
        carry_out(call(cast, command, f"${n}"))
    assert not CommandCall.objects.filter(token_hash__isnull=False).exists()
