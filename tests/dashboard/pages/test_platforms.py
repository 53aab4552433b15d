"""The Platforms page: who sees what, what a form keeps, where doors lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agentapp.drafts.services import approve
from agentapp.foundation import clock
from agentapp.foundation.errors import Unavailable
from agentapp.identity import platforms
from agentapp.identity.models import Account, Agent, Room
from agentapp.identity.platforms import Proven, Question, WrongAnswer
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.logins import add_login
from agentapp.presence import arrivals
from agentapp.presence.models import Membership
from tests.cast import SPEC, Cast, make_message
from tests.dashboard.pages.world import AS_SCRIPT, make_draft, make_turn, publish, seen

OWL = "@owl:here.test"


class OwlPost:
    """A platform whose answers the test decides."""

    code, title, lead, invite_hint = "owlpost", "Owl post", "Feed it first.", "Send it a letter."
    most_characters, has_cards = 300, False
    questions: tuple[Question, ...] = (
        Question("user", "User", is_required=True),
        Question("password", "Password", is_secret=True),
        Question("tower", "Tower", is_rare=True),
    )

    def __init__(self) -> None:
        self.answer: Callable[[], Proven] = lambda: Proven(OWL, "sealed", is_new=True)
        self.asked: list[Mapping[str, str]] = []
        self.ended: list[str] = []

    def handle_of(self, answers: Mapping[str, str]) -> str:
        return answers["user"]

    def prove(self, answers: Mapping[str, str], *, earlier: str) -> Proven:
        assert not connection.in_atomic_block or connection.atomic_blocks[0]._from_testcase
        self.asked.append({**answers, "earlier": earlier})
        return self.answer()

    def end(self, secret: str) -> None:
        self.ended.append(secret)


@pytest.fixture
def owls(monkeypatch: pytest.MonkeyPatch) -> OwlPost:
    post = OwlPost()
    monkeypatch.setattr(platforms, "_KNOWN", {post.code: post})
    return post


def add(browser: Client, agent: Agent, **answers: object) -> str:
    fields = {"agent": agent.pk, "user": OWL, "password": "hedwig", **answers}
    data = {f"owlpost-{name}": value for name, value in fields.items()}
    answer = browser.post(reverse("login_add", args=["owlpost"]), data, **AS_SCRIPT)
    return answer.content.decode()


def make_login(cast: Cast, agent: Agent, name: str = OWL) -> Account:
    return add_login(
        agent_id=agent.pk,
        platform="owlpost",
        external_id=name,
        name=agent.name,
        secret=f"of {name}",
        by=cast.root,
    )


def make_place(cast: Cast, account: Account, state: str = "active") -> Membership:
    room = Room.objects.create(
        workspace=cast.workspace, platform="owlpost", external_id=f"!{state}", name=f"Attic {state}"
    )
    if state == "invited":
        arrivals.invited(
            room=room, agent_id=account.agent_id, account_id=account.pk, by="@ann:here.test"
        )
    else:
        arrivals.arrived(room=room, agent_id=account.agent_id, since=clock.now())
    return Membership.objects.get(room=room)


# -- connecting --------------------------------------------------------------------------------


def test_a_proven_login_is_kept_sealed_and_shown(cast: Cast, root: Client, owls: OwlPost) -> None:
    assert f"is <bdi>{OWL}</bdi> now" in add(root, cast.ada)
    account = Account.objects.get(platform="owlpost")
    assert (account.agent, account.health) == (cast.ada, "starting")
    assert "hedwig" not in str(Account.objects.values().get(pk=account.pk))
    page = root.get(reverse("platforms")).content.decode()
    assert OWL in page
    assert "Connecting" in page


@pytest.mark.parametrize(
    "error", [WrongAnswer("No such owl.", question="user"), Unavailable("The owl sleeps.")]
)
def test_what_is_wrong_is_said_and_only_the_password_is_asked_again(
    cast: Cast, root: Client, owls: OwlPost, error: Exception
) -> None:
    def fails() -> Proven:
        raise error

    owls.answer = fails
    html = add(root, cast.bo, tower="North")
    assert str(error) in html
    assert f'value="{OWL}"' in html
    assert 'value="North"' in html
    assert f'<option value="{cast.bo.pk}" selected' in html
    assert "hedwig" not in html
    assert not Account.objects.filter(platform="owlpost").exists()


def test_another_agents_login_is_refused_before_anybody_is_asked(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    make_login(cast, cast.bo)
    assert "Another agent has this login already" in add(root, cast.ada)
    assert owls.asked == []


def test_a_login_that_turns_out_to_be_anothers_is_given_back(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    make_login(cast, cast.bo)
    assert "Another agent has this login already" in add(root, cast.ada, user="owl")
    assert owls.ended == ["sealed"]


def test_logging_in_again_goes_on_with_what_was_known(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    before = make_login(cast, cast.ada)
    Account.objects.filter(pk=before.pk).update(health="lost", cursor={"since": "7"})
    page = root.get(reverse("platforms"), {"again": str(before.pk)}).content.decode()
    assert f'value="{OWL}"' in page
    add(root, cast.ada)
    assert owls.asked[0]["earlier"] == f"of {OWL}"
    after = Account.objects.get(platform="owlpost")
    assert (after.pk, after.health, after.cursor) == (before.pk, "starting", {"since": "7"})
    assert after.fence > before.fence


def test_one_agent_has_one_login_there(cast: Cast, root: Client, owls: OwlPost) -> None:
    make_login(cast, cast.ada, "@other:here.test")
    assert "Remove that login first" in add(root, cast.ada)


def test_strangers_neither_see_nor_add_logins(
    cast: Cast, sam: Client, olga: Client, owls: OwlPost
) -> None:
    account = make_login(cast, cast.ada)
    assert OWL not in olga.get(reverse("platforms")).content.decode()
    assert sam.get(reverse("platforms")).status_code == 404
    assert sam.get(reverse("platform_logins")).status_code == 404
    assert "now" not in add(olga, cast.ada)
    assert Account.objects.filter(platform="owlpost").count() == 1
    for browser in (sam, olga):
        for name in ("login_again", "login_remove"):
            assert browser.post(reverse(name, args=[account.pk]), **AS_SCRIPT).status_code == 404
    assert Account.objects.get(pk=account.pk).state == "on"
    assert owls.asked == []


# -- doors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state"), [("invitation_accept", "quarantined"), ("invitation_decline", "left")]
)
def test_an_invitation_waits_on_approvals_and_platforms(
    cast: Cast, root: Client, sam: Client, olga: Client, owls: OwlPost, name: str, state: str
) -> None:
    row = make_place(cast, make_login(cast, cast.ada), "invited")
    for page in ("approvals", "platforms"):
        html = root.get(reverse(page)).content.decode()
        assert "Attic invited" in html
        assert "@ann:here.test" in html
    assert "One thing waits for you" in root.get(reverse("home")).content.decode()
    # Nobody is in a room because somebody would like them to be.
    assert "Attic invited" not in root.get(reverse("agent", args=[cast.ada.pk])).content.decode()
    for browser in (sam, olga):
        assert browser.post(reverse(name, args=[row.pk]), **AS_SCRIPT).status_code == 404
    assert root.post(reverse(name, args=[row.pk]), **AS_SCRIPT).status_code == 204
    row.refresh_from_db()
    assert (row.state, row.prior_state) == (state, "invited")
    assert root.post(reverse(name, args=[row.pk]), **AS_SCRIPT).status_code == 409


def test_an_agent_may_talk_or_only_listen(
    cast: Cast, root: Client, sam: Client, owls: OwlPost
) -> None:
    row = make_place(cast, make_login(cast, cast.ada))
    address = reverse("membership_voice", args=[row.pk])
    assert sam.post(address, {"voice": "quiet"}, **AS_SCRIPT).status_code == 404
    for voice, state in (("quiet", "muted"), ("quiet", "muted"), ("talk", "active")):
        assert root.post(address, {"voice": voice}, **AS_SCRIPT).status_code == 204
        row.refresh_from_db()
        assert row.state == state


def test_what_a_rooms_moderator_muted_its_owner_cannot_free(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    row = make_place(cast, make_login(cast, cast.ada))
    Membership.objects.filter(pk=row.pk).update(state="muted", is_held=True)
    address = reverse("membership_voice", args=[row.pk])
    assert root.post(address, {"voice": "talk"}, **AS_SCRIPT).status_code == 403
    assert "muted by somebody who looks after it" in root.get(reverse("platforms")).content.decode()


def test_leaving_and_removing_are_left_for_the_connector_to_do(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    account = make_login(cast, cast.ada)
    row = make_place(cast, account)
    root.post(reverse("membership_leave", args=[row.pk]), **AS_SCRIPT)
    row.refresh_from_db()
    assert (row.state, row.prior_state) == ("left", "active")
    other = make_place(cast, account, "other")
    root.post(reverse("login_remove", args=[account.pk]), **AS_SCRIPT)
    other.refresh_from_db()
    account.refresh_from_db()
    assert (other.state, account.state, account.lease_until) == ("left", "ending", None)
    assert "Leaving its rooms" in root.get(reverse("platforms")).content.decode()


def test_a_room_elsewhere_takes_nobody_in_from_here(
    cast: Cast, root: Client, owls: OwlPost
) -> None:
    row = make_place(cast, make_login(cast, cast.ada))
    make_login(cast, cast.bo, "@bo:here.test")
    page = root.get(reverse("room", args=[row.room_id])).content.decode()
    assert "Let an agent in" not in page
    assert "Make a link" not in page
    for name, fields in (("room_add_agent", {"agent": cast.bo.pk}), ("room_link", {})):
        answer = root.post(reverse(name, args=[row.room_id]), fields, **AS_SCRIPT)
        assert answer.status_code == 403
    assert Membership.objects.filter(room=row.room).count() == 1


# -- the first words ---------------------------------------------------------------------------


def test_the_first_words_tick_themselves_off(cast: Cast, root: Client, owls: OwlPost) -> None:
    row = make_place(cast, make_login(cast, cast.ada))
    address = reverse("platform_logins")
    assert root.get(address).content.decode().count("is-done") == 0
    draft = make_draft(cast, room=row.room)
    draft.turn.addressed = True  # type: ignore[union-attr]
    draft.turn.save()  # type: ignore[union-attr]
    html = root.get(address).content.decode()
    assert html.count("is-done") == 2
    assert "waits for you in Approvals" in html


def test_an_agent_that_let_it_pass_says_so(cast: Cast, root: Client, owls: OwlPost) -> None:
    row = make_place(cast, make_login(cast, cast.ada))
    make_turn(
        cast,
        make_message(cast, cast.sam, "@Ada?", room=row.room),
        decision="ignore",
        addressed=True,
    )
    html = root.get(reverse("platform_logins")).content.decode()
    assert html.count("is-done") == 1
    assert "It let it pass." in html


def test_the_page_asks_no_more_for_many_logins(cast: Cast, root: Client, owls: OwlPost) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert root.get(reverse("platforms")).status_code == 200
        return len(queries)

    make_place(cast, make_login(cast, cast.ada))
    make_place(cast, make_login(cast, cast.bo, "@bo:here.test"), "invited")
    root.get(reverse("platforms"))
    few = asked()
    for number in range(8):
        agent = create_agent(
            owner=cast.root, workspace=cast.workspace, name=f"A{number}", spec=SPEC
        )
        make_place(cast, make_login(cast, agent, f"@a{number}:here.test"), f"s{number}")
    assert asked() <= few


# -- replies on their own ----------------------------------------------------------------------


def test_five_unchanged_replies_are_offered_on_approvals_and_in_the_room(
    cast: Cast, root: Client, sam: Client, olga: Client
) -> None:
    Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={})
    Room.objects.filter(pk=cast.lounge.pk).update(reply_mode="approve")
    for _ in range(5):
        draft = make_draft(cast)
        approve(draft_id=draft.pk, by=cast.root, **seen(draft))  # type: ignore[arg-type]
        publish(draft)
    words = "5 replies of <bdi>Ada</bdi> went out unchanged."
    pages = [reverse("approvals_cards"), reverse("room", args=[cast.lounge.pk])]
    for page in pages:
        assert words in root.get(page).content.decode()
    answer = reverse("offer_answer", args=[cast.lounge.pk, cast.ada.pk])
    for browser in (sam, olga):
        assert browser.post(answer, {"answer": "yes"}, **AS_SCRIPT).status_code == 404
    assert root.post(answer, {"answer": "yes"}, **AS_SCRIPT).status_code == 204
    assert Room.objects.get(pk=cast.lounge.pk).reply_mode == "own"
    for page in pages:
        html = root.get(page).content.decode()
        assert "go on their own now" in html
        assert "Undo" in html
    root.post(reverse("room_mode", args=[cast.lounge.pk]), {"mode": "approve"})
    assert "go on their own now" not in root.get(pages[0]).content.decode()
