"""`/stop`: every agent of this host leaves whoever asks alone, everywhere, at once."""

from __future__ import annotations

from agentapp.commands.shapes import Asked, Command, Option, OptionKind, Phrase, Said
from agentapp.drafts.services import withdraw_to
from agentapp.identity.services.people import set_stopped

UNDO = {"undo": True}


def _stop(asked: Asked) -> Said:
    if "undo" in asked.call.options:
        changed = set_stopped(person=asked.person, on=False)
        words = "You are answered and remembered again." if changed else "Nothing was stopped."
        return Said(words, in_room=words)
    changed = set_stopped(person=asked.person, on=True)
    count = withdraw_to(people=changed, rooms=None, reason="They asked to be left alone.")
    already = "" if changed else " already"
    withdrawn = f" {_answers(count)} withdrawn." if count else ""
    words = (
        f"You are{already} left alone: no agent here or anywhere else on this host answers, "
        f"mentions or remembers you.{withdrawn} `/stop undo` or “start again” takes it back."
    )
    return Said(words, in_room="I leave you alone. `/stop undo` or “start again” takes it back.")


def _answers(count: int) -> str:
    return "One answer to you was" if count == 1 else f"{count} answers to you were"


COMMAND = Command(
    name="stop",
    description="Be left alone by all agents, everywhere on this host, at once.",
    carry_out=_stop,
    options=(Option("undo", "Take it back", OptionKind.FLAG),),
    phrases=(
        Phrase("en", "stop"),
        Phrase("en", "stop it"),
        Phrase("en", "please stop"),
        Phrase("en", "leave me alone"),
        Phrase("en", "please leave me alone"),
        Phrase("en", "start again", UNDO),
        Phrase("de", "stopp"),
        Phrase("de", "hör auf"),
        Phrase("de", "hör bitte auf"),
        Phrase("de", "lass mich in ruhe"),
        Phrase("de", "lass mich bitte in ruhe"),
        Phrase("de", "fang wieder an", UNDO),
        Phrase("fr", "arrête"),
        Phrase("fr", "arrêtez"),
        Phrase("fr", "laisse-moi tranquille"),
        Phrase("fr", "laissez-moi tranquille"),
        Phrase("fr", "recommence", UNDO),
        Phrase("es", "para"),
        Phrase("es", "basta"),
        Phrase("es", "déjame en paz"),
        Phrase("es", "déjame tranquilo"),
        Phrase("es", "déjame tranquila"),
        Phrase("es", "empieza de nuevo", UNDO),
    ),
)
