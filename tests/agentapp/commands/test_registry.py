"""Adding a command is one file; carrying one out happens once and is answered by one agent."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from agentapp.commands import registry
from agentapp.commands.services import MOST_ANSWERS, carry_out
from agentapp.drafts.models import Draft
from agentapp.identity.models import Person
from agentapp.llm.models import LLMCall
from agentapp.management.commands.commands import table
from tests.agentapp.commands.asking import call
from tests.cast import Cast

WAVE = """
from agentapp.commands.shapes import Command, Phrase, Said

COMMAND = Command(
    name="wave",
    description="Have an agent wave back.",
    carry_out=lambda asked: Said(f"Hello {asked.handle.name}."),
    phrases=(Phrase("en", "wave at me"),),
    is_private=False,
)
"""


def package(path: Path, name: str) -> ModuleType:
    made = ModuleType(name)
    made.__path__ = [str(path)]
    sys.modules[name] = made
    return made


@pytest.fixture
def wave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file with a command beside those there are."""
    (tmp_path / "wave.py").write_text(WAVE)
    monkeypatch.setattr(registry.each, "__path__", [*registry.each.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "agentapp.commands.each.wave", raising=False)
    registry.known.cache_clear()
    yield
    monkeypatch.undo()
    sys.modules.pop("agentapp.commands.each.wave", None)
    registry.known.cache_clear()


def test_a_file_in_the_package_is_a_command_everywhere(cast: Cast, wave: None) -> None:
    assert "wave" in {command.name for command in registry.definitions()}
    for text in ("/wave", "!wave", "Ada, wave at me!"):
        found = registry.parse(text, names={"Ada": cast.ada.pk})
        assert found is not None
        assert found.command.name == "wave"
    assert "`/wave`: Have an agent wave back." in carry_out(call(cast, "help")).words
    assert carry_out(call(cast, "wave", "$2")).words == "Hello sam."
    assert list(Draft.objects.order_by("-pk").values_list("text", flat=True)[:1]) == ["Hello sam."]
    assert not LLMCall.objects.exists()


def test_a_file_without_a_command_and_two_with_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wave.py").write_text(WAVE)
    (tmp_path / "again.py").write_text(WAVE)
    with pytest.raises(LookupError, match="one of its names"):
        registry.found_in(package(tmp_path, "twice_commands"))
    (tmp_path / "again.py").write_text("")
    with pytest.raises(LookupError, match="no COMMAND"):
        registry.found_in(package(tmp_path, "empty_commands"))


def test_a_repetition_is_told_the_same(cast: Cast) -> None:
    first = carry_out(call(cast, "help", shows_answer=True))
    again = carry_out(call(cast, "help", shows_answer=True))
    assert (first.is_done, first.is_repeated) == (True, False)
    assert (again.is_done, again.is_repeated) == (True, True)
    assert first.words == again.words
    assert first.agent_id == again.agent_id == cast.ada.pk
    assert first.is_private
    assert not Draft.objects.exists()  # the platform shows it itself


def test_a_room_does_not_drown_in_answers_to_one_person(cast: Cast) -> None:
    for n in range(MOST_ANSWERS + 2):
        carry_out(call(cast, "help", f"${n}"))
    assert Draft.objects.count() == MOST_ANSWERS
    assert carry_out(call(cast, "stop", "$stop")).is_done
    assert Person.objects.filter(stopped_at__isnull=False).exists()
    assert Draft.objects.count() == MOST_ANSWERS
    carry_out(call(cast, "help", "$other", user=cast.mallory))
    assert Draft.objects.count() == MOST_ANSWERS + 1


def test_help_says_who_runs_the_agents_and_who_reads_along(cast: Cast) -> None:
    words = carry_out(call(cast, "help")).words
    assert "Ada and Bo are run by root: programs, not people." in words
    assert "everybody who can open this room" in words
    assert "/forget" in words
    assert "/mute" not in words
    assert "/mute" in carry_out(call(cast, "help", "$2", is_moderator=True)).words


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("fly", {}, "no such command"),
        ("mute", {"agent": 1}, "looks after this room"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_no_trace(
    cast: Cast, command: str, options: dict[str, object], words: str
) -> None:
    answer = carry_out(call(cast, command, options=options))
    assert not answer.is_done
    assert words in answer.words
    assert not Draft.objects.exists()


@pytest.mark.parametrize("hours", ["soon", float("nan"), None])
def test_an_option_out_of_its_kind_is_refused(cast: Cast, hours: object) -> None:
    options = {"agent": cast.ada.pk, "hours": hours} if hours else {}
    answer = carry_out(call(cast, "mute", options=options, is_moderator=True))
    assert not answer.is_done


def test_the_documents_list_every_command() -> None:
    document = (Path(__file__).resolve().parents[3] / "docs/commands.md").read_text()
    assert table() in document, "put in what `python manage.py commands` prints"
