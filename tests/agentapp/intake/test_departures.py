from __future__ import annotations

import pytest

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, propose
from agentapp.foundation import clock
from agentapp.foundation.errors import NotFound
from agentapp.identity.models import Account, Agent, Room
from agentapp.identity.services.logins import add_login
from agentapp.intake.departures import end_login, login_ended
from agentapp.presence import arrivals
from agentapp.presence.models import Membership
from tests.cast import Cast


@pytest.fixture
def login(cast: Cast) -> Account:
    """A login of Ada's in a room elsewhere, and words of hers that wait for it."""
    account = give_login(cast)
    room = Room.objects.create(workspace=cast.workspace, platform="owlpost", external_id="!attic")
    arrivals.arrived(room=room, agent_id=cast.ada.pk, since=None)
    Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={"message": "auto"})
    say(cast, room)
    return account


def give_login(cast: Cast) -> Account:
    return add_login(
        agent_id=cast.ada.pk,
        platform="owlpost",
        external_id="@owl:here.test",
        name="Ada",
        secret="s",
        by=cast.root,
    )


def say(cast: Cast, room: Room) -> None:
    propose(Wish(turn=None, agent_id=cast.ada.pk, kind="message", room_id=room.pk, text="Hoo"))


def test_a_login_that_ends_sends_nothing_more(cast: Cast, login: Account) -> None:
    assert Draft.objects.get().status == "approved"
    end_login(account_id=login.pk, by=cast.root)
    assert (Draft.objects.get().status, Outbound.objects.get().state) == ("blocked", "withheld")
    assert Membership.objects.get(account=login).state == "left"
    login.refresh_from_db()
    assert login_ended(account_id=login.pk, fence=login.fence)
    assert Account.objects.get(pk=login.pk).secret == ""


def test_a_login_that_was_made_anew_meanwhile_does_not_end(cast: Cast, login: Account) -> None:
    end_login(account_id=login.pk, by=cast.root)
    login.refresh_from_db()
    give_login(cast)
    room = Room.objects.get(external_id="!attic")
    arrivals.arrived(room=room, agent_id=cast.ada.pk, since=clock.now())
    say(cast, room)
    assert not login_ended(account_id=login.pk, fence=login.fence)
    now = Account.objects.get(pk=login.pk)
    assert (now.state, bool(now.secret)) == ("on", True)
    assert Draft.objects.latest("pk").status == "approved"


@pytest.mark.parametrize("stranger", ["sam", "olga"])
def test_nobody_else_ends_it(cast: Cast, login: Account, stranger: str) -> None:
    with pytest.raises(NotFound):
        end_login(account_id=login.pk, by=getattr(cast, stranger))


def test_the_login_for_web_rooms_cannot_be_ended(cast: Cast) -> None:
    local = Account.objects.get(agent=cast.ada, platform="local")
    with pytest.raises(NotFound):
        end_login(account_id=local.pk, by=cast.root)
