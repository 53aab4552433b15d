"""Each gate is armed after the approval and before the claim; nothing may then reach a platform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from agentapp.drafts import rules
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due
from agentapp.drafts.services import Wish, approve, propose
from agentapp.feedback.models import Feedback
from agentapp.foundation import clock
from agentapp.identity.models import Account, Agent, Person, Room
from agentapp.identity.services import stays
from agentapp.identity.services.agents import archive_agent, pause_agent
from agentapp.llm.models import Budget, Spend
from agentapp.llm.queries import today_in
from agentapp.moderation.services import suspend
from agentapp.presence.services import remove_agent
from agentapp.relations.models import Quiet
from agentapp.safety.models import SafetyState
from agentapp.safety.services import ensure_states, stop
from tests.cast import Cast, hold_logins, make_message

Arm = Callable[[Cast, Draft], object]


def _stop_host(cast: Cast, draft: Draft) -> None:
    stop(scope="host", by=cast.root, reason="maintenance")


def _stop_workspace(cast: Cast, draft: Draft) -> None:
    stop(scope="workspace", workspace_id=cast.workspace.pk, by=cast.root)


def _suspend(cast: Cast, draft: Draft) -> None:
    suspend(agent_id=cast.ada.pk, by=cast.root, reason="rude")


def _flag(cast: Cast, **fields: object) -> None:
    ensure_states([(cast.ada.pk, cast.workspace.pk)])
    SafetyState.objects.filter(agent=cast.ada).update(**fields)


def _mute(cast: Cast, draft: Draft) -> None:
    _flag(cast, muted_until=clock.now() + timedelta(hours=1))


def _restrict(cast: Cast, draft: Draft) -> None:
    _flag(cast, restricted=["comment"])


def _raise_epoch(cast: Cast, draft: Draft) -> None:
    _flag(cast, epoch=7)


def _pause(cast: Cast, draft: Draft) -> None:
    pause_agent(agent_id=cast.ada.pk, by=cast.root)


def _archive(cast: Cast, draft: Draft) -> None:
    archive_agent(agent_id=cast.ada.pk, by=cast.root)


def _expire(cast: Cast, draft: Draft) -> None:
    Draft.objects.filter(pk=draft.pk).update(expires_at=clock.now())


def _spend_all(cast: Cast, draft: Draft) -> None:
    budget, _ = Budget.objects.get_or_create(
        workspace=cast.workspace, agent=None, defaults={"day_micros": 1_000_000}
    )
    Spend.objects.update_or_create(
        budget=budget,
        day=today_in(cast.workspace),
        defaults={"spent_micros": budget.day_micros},
    )


def _delete_target(cast: Cast, draft: Draft) -> None:
    assert draft.target is not None
    draft.target.deleted_at = clock.now()
    draft.target.save()


def _lose_room(cast: Cast, draft: Draft) -> None:
    Room.objects.filter(pk=draft.room_id).update(gone_at=clock.now())


def _leave(cast: Cast, draft: Draft) -> None:
    remove_agent(room_id=cast.lounge.pk, agent_id=cast.ada.pk, by=cast.root)


def _leave_asker_alone(cast: Cast, draft: Draft) -> None:
    Quiet.objects.create(
        workspace=cast.workspace, room=cast.lounge, person=cast.identity(cast.sam).person
    )


def _be_quiet(cast: Cast, draft: Draft) -> None:
    Quiet.objects.create(
        workspace=cast.workspace, room=cast.lounge, until=clock.now() + timedelta(hours=1)
    )


def _leave_asker_alone_everywhere(cast: Cast, draft: Draft) -> None:
    Person.objects.filter(identities__user=cast.sam).update(stopped_at=clock.now())


def _leave_mentioned_alone(cast: Cast, draft: Draft) -> None:
    Outbound.objects.update(text="Ask @mallory about ferns.")
    Person.objects.filter(identities__user=cast.mallory).update(stopped_at=clock.now())


def _see_asker_leave(cast: Cast, draft: Draft) -> None:
    Room.objects.filter(pk=cast.lounge.pk).update(group_id="pond")
    stays.left(identity=cast.identity(cast.sam), group=stays.Group("pond", "Pond"))


ARMS: dict[str, tuple[Arm, str]] = {
    "kill switch of the host": (_stop_host, "pending"),
    "kill switch of the workspace": (_stop_workspace, "pending"),
    "suspended": (_suspend, "blocked"),
    "muted": (_mute, "blocked"),
    "restricted kind": (_restrict, "blocked"),
    "thought of before a suspension": (_raise_epoch, "blocked"),
    "paused": (_pause, "pending"),
    "archived": (_archive, "blocked"),
    "expired": (_expire, "blocked"),
    "budget spent": (_spend_all, "pending"),
    "target deleted": (_delete_target, "blocked"),
    "room gone": (_lose_room, "blocked"),
    "membership left": (_leave, "blocked"),
    "asker left alone here": (_leave_asker_alone, "blocked"),
    "room asked to be quiet": (_be_quiet, "blocked"),
    "asker left alone everywhere": (_leave_asker_alone_everywhere, "blocked"),
    "mentions somebody left alone": (_leave_mentioned_alone, "blocked"),
    "asker left": (_see_asker_leave, "blocked"),
}


def approved(cast: Cast) -> Draft:
    target = make_message(cast, cast.sam, "What do you think of ferns?")
    draft = propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            kind="comment",
            room_id=cast.lounge.pk,
            target_id=target.pk,
            text="Ferns like shade.",
        )
    )
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    Outbound.objects.update(not_before=clock.now())
    return Draft.objects.select_related("target").get(pk=draft.pk)


def claimed(cast: Cast) -> list[int]:
    accounts = list(Account.objects.filter(workspace=cast.workspace).values_list("pk", flat=True))
    hold_logins("test")
    return [piece.outbound_id for piece in claim_due(holder="test", accounts=accounts)]


def test_without_a_stop_the_piece_is_claimed_and_the_approval_rewarded(cast: Cast) -> None:
    draft = approved(cast)

    assert len(claimed(cast)) == 1
    draft.refresh_from_db()
    assert draft.status == "publishing"
    reward = Feedback.objects.get(source="draft.approved")
    assert (reward.target_id, reward.value) == (draft.pk, 0.5)
    assert claimed(cast) == []


@pytest.mark.parametrize("name", ARMS)
def test_an_armed_gate_stops_the_send(cast: Cast, name: str) -> None:
    draft = approved(cast)
    arm, becomes = ARMS[name]
    arm(cast, draft)

    assert claimed(cast) == []

    draft.refresh_from_db()
    assert draft.status == becomes
    assert draft.reason
    assert not Outbound.objects.filter(state__in=["queued", "publishing", "sent"]).exists()
    assert not Feedback.objects.filter(source="draft.approved").exists()
    assert claimed(cast) == []


def test_every_gate_is_armed_by_a_case() -> None:
    reasons = {
        "kill_switch": "kill switch of the host",
        "suspended": "suspended",
        "paused": "paused",
        "expired": "expired",
        "target_gone": "target deleted",
        "membership_left": "membership left",
        "left_alone": "asker left alone here",
        "budget": "budget spent",
    }
    assert {gate.__name__ for gate in rules.GATES} == set(reasons)
    assert set(reasons.values()) <= set(ARMS)


def test_what_a_pause_returned_is_sent_after_a_new_approval(cast: Cast) -> None:
    draft = approved(cast)
    _pause(cast, draft)
    assert claimed(cast) == []
    Agent.objects.filter(pk=cast.ada.pk).update(status="live")

    back = Draft.objects.get(pk=draft.pk)
    approve(draft_id=back.pk, version=back.version, content_hash=back.content_hash, by=cast.root)
    Outbound.objects.update(not_before=clock.now())

    assert len(claimed(cast)) == 1


def test_a_later_piece_waits_for_the_one_before_it(cast: Cast) -> None:
    first, second = approved(cast), approved(cast)
    Outbound.objects.filter(draft=first).update(not_before=clock.now() + timedelta(seconds=5))

    assert claimed(cast) == []
    Outbound.objects.filter(draft=first).update(not_before=clock.now())
    assert len(claimed(cast)) == 1
    piece = Outbound.objects.get(draft=first)
    assert (piece.state, Outbound.objects.get(draft=second).state) == ("publishing", "queued")
