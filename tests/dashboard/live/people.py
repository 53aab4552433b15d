"""Who looks on in the tests of live pages, and what happens for them to hear of."""

from __future__ import annotations

from agentapp.identity.models import Room, Seat, User
from agentapp.identity.services.rooms import create_room, join_by_link, make_room_link
from agentapp.identity.services.tenancy import give_seat
from agentapp.turns.models import Turn
from tests.cast import Cast, make_user


def make_turn(cast: Cast) -> Turn:
    return Turn.objects.create(
        workspace=cast.workspace,
        agent=cast.ada,
        room=cast.lounge,
        trigger_id=1,
        status=Turn.Status.RUNNING,
        decision=Turn.Decision.RESPOND,
    )


def private_room(cast: Cast) -> Room:
    return create_room(workspace=cast.workspace, name="Office", visibility="private", by=cast.root)


def enter(cast: Cast, room: Room) -> None:
    token = make_room_link(room_id=room.pk, by=cast.root)
    join_by_link(token=token, name="Sam", user=cast.sam)


def make_people(cast: Cast) -> dict[str, User]:
    moderator, outsider, admin = (make_user(name) for name in ("mo", "out", "admin"))
    give_seat(user=moderator, workspace=cast.workspace, role=Seat.Role.MODERATOR)
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    return {
        "owner": cast.root,
        "member": cast.sam,
        "moderator": moderator,
        "elsewhere": cast.olga,
        "nobody": outsider,
        "admin": admin,
    }


def draft_event(cast: Cast, number: int) -> dict[str, object]:
    return {
        "type": "agent.draft.created",
        "subject_kind": "draft",
        "subject_id": number,
        "workspace_id": cast.workspace.pk,
        "agent_id": cast.ada.pk,
        "room_id": cast.lounge.pk,
    }


def message_event(cast: Cast, number: int, *, room: Room | None = None) -> dict[str, object]:
    """Describe that a message came, into the lounge unless another room is given."""
    return {
        "type": "message.received",
        "subject_kind": "message",
        "subject_id": number,
        "workspace_id": cast.workspace.pk,
        "room_id": (room or cast.lounge).pk,
    }
