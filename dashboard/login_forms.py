"""The form of a login on a platform: as many fields as that platform asks questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django import forms
from django.forms.boundfield import BoundField

from agentapp.identity.models import Agent
from agentapp.identity.platforms import Platform, Question, WrongAnswer

MAX_ANSWER = 4_000  # characters


class LoginForm(forms.Form):
    """Who gets a login, and the platform's questions.

    Args:
        agents: Who may get one.
        platform: Asks.
    """

    agent = forms.TypedChoiceField(label="Agent", coerce=int)

    def __init__(
        self,
        data: Mapping[str, object] | None = None,
        *,
        agents: Sequence[Agent],
        platform: Platform,
        initial: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(data, initial=initial, prefix=platform.code)  # type: ignore[arg-type]
        self.platform = platform
        self.fields["agent"].choices = [  # type: ignore[attr-defined]
            (agent.pk, agent.name) for agent in agents
        ]
        for question in platform.questions:
            self.fields[question.name] = _field(question)

    @property
    def usual(self) -> list[BoundField]:
        """The fields that everybody fills in."""
        return [self["agent"], *(self[one.name] for one in self._asked(is_rare=False))]

    @property
    def rare(self) -> list[BoundField]:
        """The fields that few need."""
        return [self[one.name] for one in self._asked(is_rare=True)]

    @property
    def is_rare_open(self) -> bool:
        """Whether something stands in a rare field, or was wrong with it."""
        return any(field.errors or (field.value() and self.is_bound) for field in self.rare)

    def answers(self) -> dict[str, str]:
        """Return what was answered, by the questions' names."""
        said = {one.name: self.cleaned_data[one.name] for one in self.platform.questions}
        return {name: "yes" if one is True else one or "" for name, one in said.items()}

    def object_to(self, error: WrongAnswer) -> None:
        """Show what was wrong, at the field it is about."""
        self.add_error(error.question if error.question in self.fields else None, error.message)

    def _asked(self, *, is_rare: bool) -> list[Question]:
        return [one for one in self.platform.questions if one.is_rare == is_rare]


def _field(question: Question) -> forms.Field:
    if question.is_choice:
        return forms.BooleanField(label=question.label, help_text=question.hint, required=False)
    kind = forms.PasswordInput if question.is_secret else forms.TextInput
    attrs = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
    if question.is_secret:
        attrs["class"] = "input-mono"
    return forms.CharField(
        label=question.label,
        help_text=question.hint,
        required=question.is_required,
        max_length=MAX_ANSWER,
        widget=kind(attrs=attrs),
    )
