"""The forms of application services: a homeserver, and an agent that is to live there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django import forms

from agentapp.appservices.models import ApplicationService
from agentapp.identity.models import Agent, Workspace
from agentapp.identity.platforms import WrongAnswer

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class _Objecting(forms.Form):
    def object_to(self, error: WrongAnswer) -> None:
        """Show what was wrong, at the field it is about."""
        self.add_error(error.question if error.question in self.fields else None, error.message)


class HomeserverForm(_Objecting):
    """A homeserver that somebody here runs."""

    workspace = forms.TypedChoiceField(label="Workspace", coerce=int)
    domain = forms.CharField(
        label="Server name",
        help_text="What stands behind the colon of its users, such as example.org.",
        max_length=255,
        widget=forms.TextInput(attrs=_PLAIN),
    )
    names = forms.CharField(
        label="Names begin with",
        help_text="Nobody else there can have a name that begins so.",
        max_length=30,
        initial="agent-",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    address = forms.CharField(
        label="Address",
        help_text="Only where the name is not enough, such as https://matrix.example.org.",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(
        self,
        data: Mapping[str, object] | None = None,
        *,
        workspaces: Iterable[Workspace],
    ) -> None:
        super().__init__(data, prefix="homeserver")
        choices = [(one.pk, one.name) for one in workspaces]
        self.fields["workspace"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["workspace"].initial = choices[0][0]
            self.fields["workspace"].widget = forms.HiddenInput()


class GhostForm(_Objecting):
    """An agent that is to be a user of the homeserver."""

    agent = forms.TypedChoiceField(label="Agent", coerce=int)
    localpart = forms.CharField(
        label="Name there",
        max_length=100,
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(
        self,
        data: Mapping[str, object] | None = None,
        *,
        agents: Iterable[Agent],
        service: ApplicationService,
    ) -> None:
        super().__init__(data, prefix=f"ghost-{service.pk}")
        self.service = service
        choices = [(one.pk, one.name) for one in agents]
        self.fields["agent"].choices = choices  # type: ignore[attr-defined]
        self.fields["localpart"].help_text = f"It becomes @{service.prefix}…:{service.domain}."
