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
from agentapp.foundation.errors import AgentError, Invalid
from agentapp.foundation.secrets import digest
from agentapp.identity.models import Identity, Person, Room, Workspace
from agentapp.identity.services.people import LOCAL, ensure_identity

NOTICE_CODE = "command"  # of the drafts that answer; gates of quiet let them pass
KEPT = timedelta(minutes=10)  # words that were handed to their platform, for a repetition
MOST_ANSWERS = 10  # that one person gets into rooms within that time
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
    room = _locked_room(call)  # before anything else, as intake does
    handle = ensure_identity(
        workspace=Workspace.objects.get(pk=call.workspace_id),
        platform=call.platform,
        external_id=stored_id(call.author.external_id),
        name=call.author.name,
    )
    person = handle.person
    if person is None or handle.kind not in _PEOPLE:
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
    return _done(command, call, row, Here(room, handle, person))


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
class Here:
    """Who asks, and in which room; None where no agent ever was."""

    room: Room | None
    handle: Identity
    person: Person


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where an answer goes and which agents may give it, the first that can does."""

    room: Room | None
    agents: Sequence[int]
    is_alone: bool


def _done(command: Command, call: Call, row: CommandCall, here: Here) -> Answer:
    agents = taking_turns.by_turn(call, here.room) if here.room else ()
    is_private = command.is_private
    stage = _stage(call, here, agents, is_private=is_private)
    asked = Asked(call, here.handle, here.person, here.room, agents, stage.is_alone)
    if (Where.DIRECT if asked.is_direct else Where.ROOM) not in command.offered:
        row.delete()
        return Answer("That does not work here.", is_done=False)
    said = command.carry_out(asked)
    if not said.is_done and call.shows_answer:
        row.delete()  # the same words may be tried again
        return Answer(said.words, is_private=is_private, is_done=False)
    if said.is_public:
        is_private, stage = False, _Stage(here.room, agents, is_alone=False)
    row.room, row.is_private, row.is_done = here.room, is_private, True
    row.words = said.words
    is_web = call.shows_answer and call.platform == LOCAL
    row.is_shown = is_web and is_private and said.is_done and not said.is_told
    row.words_until = None if row.is_shown else GreenroomNow() + KEPT
    row.agent_id = said.agent_id or call.agent_id or next(iter(agents), None)
    is_heard = bool(said.words) and not said.is_told and (said.is_public or not call.shows_answer)
    if is_heard and not _has_said_enough(here.handle):
        row.agent_id = _say(command, stage, said, row) or row.agent_id
    row.save()
    _record(command, call, row, here.person)
    return Answer(said.words, is_private=is_private, agent_id=row.agent_id, is_done=said.is_done)


def _has_said_enough(handle: Identity) -> bool:
    """Say whether a room would drown in answers to somebody; what they ask is done all the same."""
    recent = CommandCall.objects.filter(handle=handle, created_at__gt=GreenroomNow() - KEPT)
    return recent.count() > MOST_ANSWERS


def _locked_room(call: Call) -> Room | None:
    return (
        Room.objects.select_for_update(no_key=True)
        .filter(
            workspace_id=call.workspace_id,
            platform=call.platform,
            external_id=stored_id(call.place.external_id),
        )
        .first()
    )


def _stage(call: Call, here: Here, agents: tuple[int, ...], *, is_private: bool) -> _Stage:
    """Return where the answer goes: what is private into the room where they are alone."""
    if call.shows_answer or here.room is None:
        return _Stage(here.room, agents, is_alone=True)
    if taking_turns.alone(here.handle).filter(pk=here.room.pk).exists():
        return _Stage(here.room, agents, is_alone=True)
    direct = taking_turns.direct_room(here.room, here.handle, agents) if is_private else None
    return _Stage(*direct, is_alone=True) if direct else _Stage(here.room, agents, is_alone=False)


def _say(command: Command, stage: _Stage, said: Said, row: CommandCall) -> int | None:
    """Let one agent say it; return which. What is private and not alone goes by a link."""
    if stage.room is None:
        return None
    words = said.words
    if row.is_private and not stage.is_alone:
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
