"""The forms of the pages. They check shape; the services check meaning."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import available_timezones

from django import forms
from typing_extensions import override

from agentapp.foundation.units import MICROS_PER_USD
from agentapp.identity.models import Room
from agentapp.identity.rules import MAX_INSTRUCTIONS, MAX_NAME
from agentapp.identity.sentences import MAX_SENTENCE
from agentapp.identity.services.rooms import MAX_ROOM_NAME
from agentapp.identity.templates import TEMPLATES

MAX_BUDGET_USD = 10_000
HOURS = [("1", "One hour"), ("24", "One day"), ("168", "One week"), ("", "Until it is lifted")]
SCOPES = [
    ("read", "Read agents, rooms, messages and drafts"),
    ("write", "Write messages, change agents and rooms"),
    ("approve", "Send and skip drafts"),
]


class RoomNameForm(forms.Form):
    """What a room is called."""

    name = forms.CharField(
        label="Name",
        max_length=MAX_ROOM_NAME,
        error_messages={
            "required": "Give the room a name.",
            "max_length": "At most %(limit_value)d characters; these are %(show_value)d.",
        },
    )


class RoomForm(RoomNameForm):
    """A new room and who is let in."""

    visibility = forms.ChoiceField(
        label="Who can come in",
        choices=[
            (Room.Visibility.PRIVATE, "Only people with its link"),
            (Room.Visibility.PUBLIC, "Everybody in the workspace"),
        ],
        widget=forms.RadioSelect,
        initial=Room.Visibility.PRIVATE,
    )
    agents = forms.TypedMultipleChoiceField(label="Let in", required=False, coerce=int)

    def __init__(self, *args: object, agents: Sequence[tuple[int, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["agents"].choices = agents  # type: ignore[attr-defined]


class NewAgentForm(forms.Form):
    """An agent from a template or from one sentence."""

    name = forms.CharField(label="Name", max_length=MAX_NAME)
    template = forms.ChoiceField(
        choices=[("", "In my own words"), *((one.code, one.title) for one in TEMPLATES)],
        required=False,
    )
    sentence = forms.CharField(
        label="In one sentence",
        max_length=MAX_SENTENCE,
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 2, "placeholder": "A patient gardener who asks a question first"}
        ),
    )

    @override
    def clean(self) -> dict[str, object]:
        """Ask for the sentence when no template was chosen."""
        cleaned = super().clean() or {}
        if not cleaned.get("template") and not cleaned.get("sentence"):
            self.add_error("sentence", "Say in one sentence who it is, or pick one above.")
        return cleaned


class EditAgentForm(forms.Form):
    """An agent's name and what it is made of."""

    name = forms.CharField(label="Name", max_length=MAX_NAME)
    instructions = forms.CharField(
        label="Who it is and how it talks",
        max_length=MAX_INSTRUCTIONS,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="It is paid for with every answer, so shorter is cheaper.",
    )
    interests = forms.CharField(
        label="What it cares about",
        required=False,
        help_text="Words with commas between. Where it may join in, it listens for these.",
    )
    temperature = forms.FloatField(
        label="How freely it talks",
        min_value=0,
        max_value=2,
        help_text="0 is exact, 0.7 is lively, above 1 is wild.",
    )
    max_tokens = forms.IntegerField(
        label="Longest answer",
        min_value=16,
        max_value=4000,
        help_text="In tokens; 400 is about three hundred words.",
    )


class SuspendForm(forms.Form):
    """A moderator's stop."""

    hours = forms.ChoiceField(label="For how long", choices=HOURS, required=False, initial="24")
    reason = forms.CharField(
        label="Why", max_length=400, required=False, help_text="Its owner reads this."
    )


class BudgetForm(forms.Form):
    """The most that may be spent in a day."""

    dollars = forms.DecimalField(
        label="US dollars a day",
        min_value=Decimal(0),
        max_value=Decimal(MAX_BUDGET_USD),
        decimal_places=2,
        help_text="At 95 % only people who ask directly are answered, on the cheap model. "
        "At 100 % everybody falls silent until midnight.",
    )

    def micros(self) -> int:
        """Return the amount in micro-dollars."""
        return int(self.cleaned_data["dollars"] * MICROS_PER_USD)


PROTOCOLS = [("openai", "OpenAI"), ("anthropic", "Anthropic")]


class ProviderForm(forms.Form):
    """A model server and the key to it."""

    base_url = forms.CharField(
        label="Address",
        max_length=300,
        initial="https://api.openai.com/v1",
        widget=forms.URLInput(attrs={"inputmode": "url", "spellcheck": "false"}),
        help_text=(
            "Such as https://api.anthropic.com or https://api.deepseek.com; "
            "for a server on this machine something like http://localhost:11434/v1."
        ),
    )
    key = forms.CharField(
        label="Key",
        max_length=500,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "input-mono"}),
        help_text="Stored sealed and never shown again. A server of your own may need none.",
    )
    reply_model = forms.CharField(
        label="Model for answers",
        max_length=120,
        required=False,
        help_text="Left empty, one is picked from what the server offers.",
    )
    cheap_model = forms.CharField(label="Cheap model for side work", max_length=120, required=False)
    kind = forms.ChoiceField(
        label="Protocol",
        choices=[("", "As the address tells"), *PROTOCOLS],
        required=False,
        help_text="Only for a server that speaks the protocol of Anthropic at its own address.",
    )


class ProfileForm(forms.Form):
    """A user's name and time zone."""

    display_name = forms.CharField(label="Your name in rooms", max_length=80)
    timezone = forms.ChoiceField(
        label="Time zone",
        choices=lambda: [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())],
        help_text="Days, budgets and times on these pages follow it.",
    )


class TokenForm(forms.Form):
    """A key for the API."""

    name = forms.CharField(label="What is it for?", max_length=80)
    scopes = forms.MultipleChoiceField(
        label="It may", choices=SCOPES, widget=forms.CheckboxSelectMultiple, initial=["read"]
    )


class JoinForm(forms.Form):
    """The name under which a guest comes in."""

    name = forms.CharField(
        label="Your name", max_length=MAX_NAME, widget=forms.TextInput(attrs={"autofocus": True})
    )
