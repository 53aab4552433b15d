"""Carries commands out: once per use, answered once by one agent, without asking a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction

from agentapp.commands import links, registry, taking_turns
from agentapp.commands.models import CommandCall
from agentapp.commands.options import cleaned
from agentapp.commands.shapes import (
    Answer,
    Asked,
    Call,
    Command,
    OptionKind,
    Said,
    Where,
    Who,
)
from agentapp.conversation.rules import stored_id
from agentapp.drafts.services import Wish, propose
from agentapp.events.services import record
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import AgentError, Invalid, NotFound
from agentapp.foundation.secrets import digest
from agentapp.identity.models import Identity, Person, Room, User, Workspace
from agentapp.identity.services.people import LOCAL, ensure_identity

NOTICE_CODE = "command"  # of the drafts that answer; gates of quiet let them pass
KEPT = timedelta(minutes=10)  # words that were handed to their platform, for a repetition
SAID_BEFORE = "That was done before."

_PEOPLE = {Identity.Kind.HUMAN, Identity.Kind.SCRIPTED}


def carry_out(call: Call) -> Answer:
    """Do what somebody asked for with a command, once however often and by whomever it is read.

    Blocking and short: a platform may await it in a thread and answer within 3 s.

    Writes, in one transaction: what the command needs, CommandCall, Draft (one answer, where the
    platform does not show it itself), Event `command.carried_out`. Asks no model.

    Returns:
        What to tell; a repetition is told the same. `is_done` is False where nothing was done:
        an unknown command, one for moderators only, an option out of its limits, a bot that asks.
    """
    command = registry.known().get(call.command)
    if command is None:
        return Answer("There is no such command. `/help` lists those there are.", is_done=False)
    if command.who is Who.MODERATOR and not call.is_moderator:
        return Answer("Only somebody who looks after this room may do that.", is_done=False)
    try:
        options = cleaned(command, call.options)
    except Invalid as error:
        return Answer(error.message, is_done=False)
    with transaction.atomic():
        return _carried_out(command, replace(call, options=options))


def _carried_out(command: Command, call: Call) -> Answer:
    handle = ensure_identity(
        workspace=Workspace.objects.get(pk=call.workspace_id),
        platform=call.platform,
        external_id=stored_id(call.author.external_id),
        name=call.author.name,
    )
    person_id = handle.person_id
    if person_id is None or handle.kind not in _PEOPLE:
        return Answer("", is_done=False)  # a bot or an agent has nothing to ask for
    # Whoever reads the same message at the same time waits here, and finds it done.
    key = key_of(call)
    CommandCall.objects.bulk_create(
        [CommandCall(workspace_id=call.workspace_id, key=key, command=command.name, handle=handle)],
        ignore_conflicts=True,
    )
    row = CommandCall.objects.select_for_update().get(workspace_id=call.workspace_id, key=key)
    if row.is_done:
        return _again(row)
    # Two commands of one person at once are one after the other.
    person = Person.objects.select_for_update(no_key=True).get(pk=person_id)
    return _done(command, call, handle, person, row)


def key_of(call: Call) -> str:
    """Return what two uses share that are one; about different agents they are two."""
    agents = [
        str(call.options[option.name])
        for option in registry.known()[call.command].options
        if option.kind is OptionKind.AGENT and option.name in call.options
    ]
    return digest(":".join([call.platform, call.external_id, call.command, *agents]))


def _again(row: CommandCall) -> Answer:
    return Answer(
        row.words or SAID_BEFORE,
        is_private=row.is_private,
        agent_id=row.agent_id,
        is_repeated=True,
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where an answer goes and which agents may give it, the first that can does."""

    room: Room | None
    agents: Sequence[int]
    is_alone: bool


def _done(
    command: Command, call: Call, handle: Identity, person: Person, row: CommandCall
) -> Answer:
    room = _room_of(call)
    agents = taking_turns.by_turn(call, room) if room else ()
    stage = _stage(command, call, handle, room, agents)
    asked = Asked(call, handle, person, room, agents, stage.is_alone)
    if not _is_offered(command, asked):
        row.delete()
        return Answer("That does not work here.", is_done=False)
    said = command.carry_out(asked)
    agent_id = said.agent_id or call.agent_id or next(iter(agents), None)
    row.room, row.is_private, row.is_done = room, command.is_private, True
    row.words = said.words
    row.is_shown = bool(said.words) and call.shows_answer and call.platform == LOCAL
    row.words_until = None if row.is_shown else GreenroomNow() + KEPT
    _record(command, call, row, person)
    if said.words and not call.shows_answer and not said.is_told:
        agent_id = _say(command, stage, said, row) or agent_id
    row.agent_id = agent_id
    row.save()
    return Answer(said.words, is_private=command.is_private, agent_id=agent_id)


def _room_of(call: Call) -> Room | None:
    return Room.objects.filter(
        workspace_id=call.workspace_id,
        platform=call.platform,
        external_id=stored_id(call.place.external_id),
    ).first()


def _is_offered(command: Command, asked: Asked) -> bool:
    """Say whether a command is for this kind of room; a menu is offered wherever messages are."""
    return (Where.DIRECT if asked.is_direct else Where.ROOM) in command.offered


def _stage(
    command: Command, call: Call, handle: Identity, room: Room | None, agents: tuple[int, ...]
) -> _Stage:
    if call.shows_answer or room is None:
        return _Stage(room, agents, is_alone=True)
    if taking_turns.alone(handle).filter(pk=room.pk).exists():
        return _Stage(room, agents, is_alone=True)
    direct = taking_turns.direct_room(room, handle, agents) if command.is_private else None
    return _Stage(*direct, is_alone=True) if direct else _Stage(room, agents, is_alone=False)


def _say(command: Command, stage: _Stage, said: Said, row: CommandCall) -> int | None:
    """Let one agent say it; return which. What is private and not alone goes by a link."""
    if stage.room is None:
        return None
    words = said.words
    if command.is_private and not stage.is_alone:
        words = said.in_room or links.hand_over(row)
    for agent_id in sorted(stage.agents, key=lambda each: each != said.agent_id):
        try:
            with transaction.atomic():
                propose(
                    Wish(
                        turn=None,
                        agent_id=agent_id,
                        kind="message",
                        room_id=stage.room.pk,
                        text=words,
                        visibility="private",
                        metadata={"notice": True, "code": NOTICE_CODE},
                        why=f"Somebody asked for it with /{command.name}.",
                        key=f"command:{row.key}",
                    )
                )
        except AgentError:
            continue  # it may not talk there; another one may
        return agent_id
    return None


def _record(command: Command, call: Call, row: CommandCall, person: Person) -> None:
    """Write what was done. Pages of whoever asked hear of it, and nobody else's."""
    user_id = row.handle.user_id
    record(
        type="command.carried_out",
        subject_kind="user" if user_id else "command",
        subject_id=user_id or row.pk,
        workspace_id=call.workspace_id,
        room_id=row.room_id,
        payload={"command": command.name, "call": row.pk, "person": person.pk},
    )


@transaction.atomic
def dismiss(*, user: User, call_id: int) -> None:
    """Take away an answer that its reader has seen.

    Writes: CommandCall (the words go), Event `command.dismissed`.

    Raises:
        NotFound: It is not this user's, or it is gone already.
    """
    row = (
        CommandCall.objects.select_for_update()
        .filter(pk=call_id, handle__user=user, is_shown=True)
        .first()
    )
    if row is None:
        raise NotFound
    row.words, row.is_shown = "", False
    row.save(update_fields=["words", "is_shown"])
    record(
        type="command.dismissed",
        subject_kind="user",
        subject_id=user.pk,
        workspace_id=row.workspace_id,
        room_id=row.room_id,
        actor_id=user.pk,
        payload={"call": row.pk},
    )
