"""What the API says and hears. Names on the wire are camelCase."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentapp.turns.models import Turn
from dashboard.api.callers import Scope, caller
from dashboard.presenters.deeds import DeedShown, show_deeds

TEXT = 16_000  # characters


def _mended(value: object) -> object:
    """Take in what no store takes in, as a web form would, instead of refusing the body."""
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\x00", "")
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(each) for key, each in value.items()}
    return value


Words = Annotated[str, BeforeValidator(_mended)]
Tree = Annotated[dict[str, Any], BeforeValidator(_mended)]


class Wire(Schema):
    """A shape whose fields are camelCase outside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Heard(Wire):
    """A request's body; unknown fields are an error, not a silent loss."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class AgentOut(Wire):
    """An agent."""

    id: int
    workspace_id: int
    owner_user_id: int = Field(validation_alias="owner_id")
    name: str
    status: str
    version: int = Field(validation_alias="version.n")
    created_at: datetime


class AgentDetail(AgentOut):
    """An agent with its blueprint."""

    spec: dict[str, Any] = Field(validation_alias="version.spec")


class AgentIn(Heard):
    """A new agent: from a template, one sentence, or a full spec."""

    workspace_id: int
    name: Words
    spec: Tree | None = None
    template: Words = ""
    sentence: Words = Field("", max_length=2000)


class AgentPatch(Heard):
    """A new version of an agent's blueprint, or a new name."""

    name: Words | None = None
    spec: Tree | None = None


class SuspendIn(Heard):
    """Why, and until when; without an end it is open-ended."""

    reason: Words = Field("", max_length=400)
    until: datetime | None = None


class RoomOut(Wire):
    """A room."""

    id: int
    workspace_id: int
    name: str
    kind: str
    visibility: str
    dial: str
    reply_mode: str
    created_at: datetime


class RoomIn(Heard):
    """A new web room."""

    workspace_id: int
    name: Words = Field(max_length=120)
    visibility: Literal["public", "private"] = "private"


class RoomPatch(Heard):
    """How agents behave there."""

    name: Words | None = Field(None, max_length=120)
    dial: Literal["silent", "asked", "joins"] | None = None
    reply_mode: Literal["approve", "own"] | None = None


class AuthorOut(Wire):
    """Who wrote something."""

    id: int
    name: str
    kind: str


class MessageOut(Wire):
    """A message; a deleted one has no text."""

    id: int
    room_id: int
    author: AuthorOut
    text: str
    reply_to_id: int | None
    sent_at: datetime
    edited_at: datetime | None


class MessageIn(Heard):
    """Something to say in a web room."""

    text: Words = Field(max_length=200_000)
    reply_to_id: int | None = None


class TurnOut(Wire):
    """A decision in a line."""

    id: int
    agent_id: int
    room_id: int | None
    status: str
    decision: str
    reasons: list[Any]
    outcome: str
    cost_micros: int
    created_at: datetime


class ModelStepOut(Wire):
    """A model was asked."""

    model: str
    purpose: str
    problem: str
    latency_ms: int
    cost_micros: int


class ToolStepOut(Wire):
    """A tool was used, or refused; `told` says what the model heard, also why not."""

    name: str
    status: str = Field(validation_alias="words")
    arguments: list[tuple[str, str]] = Field(validation_alias="asked")
    told: list[str]


class StepOut(Wire):
    """One step: either of the two."""

    call: ModelStepOut | None
    tool: ToolStepOut | None


class TurnDetail(TurnOut):
    """Why: what was read, what was done in which order, what it cost, what came of it."""

    trigger_kind: str
    trigger_id: int | None
    context: dict[str, Any]
    taint: list[Any]
    answer: str
    error: str
    latency_ms: int
    steps: list[StepOut]

    @staticmethod
    def resolve_steps(turn: Turn, context: dict[str, Any]) -> list[DeedShown]:
        """Return the steps as whoever asks may see them."""
        return show_deeds(caller(context["request"], Scope.READ), [turn])[turn.pk]


class DraftOut(Wire):
    """A draft. `status` is what the owner needs to know; `state` is exact."""

    id: int
    agent_id: int
    owner_user_id: int
    type: str
    content: str
    reaction_type: str | None
    room_id: int
    target_id: int | None
    visibility: str
    status: str
    state: str
    reason: str
    version: int
    content_hash: str
    created_at: datetime
    expires_at: datetime
    approved_at: datetime | None
    rejected_at: datetime | None
    published_at: datetime | None
    metadata: dict[str, Any]


class DraftPatch(Heard):
    """A new text for a waiting draft. `version` is the one you saw."""

    content: Words | None = Field(None, max_length=TEXT)
    reaction_type: Words | None = Field(None, max_length=64)
    version: int | None = None


class ApproveIn(Heard):
    """Send it, changed or as it is. With `version` and `contentHash` only what you saw is sent."""

    edits: Words | None = Field(None, max_length=TEXT)
    version: int | None = None
    content_hash: Words | None = None


class RejectIn(Heard):
    """Do not send it."""

    reason: Words = Field("", max_length=400)


class BulkIn(Heard):
    """Decide on up to 25 drafts."""

    draft_ids: list[int] = Field(min_length=1, max_length=25)
    action: Literal["approve", "reject"]
    reason: Words = Field("", max_length=400)
    edits: dict[int, Words] = Field(default_factory=dict)


class BulkItem(Wire):
    """What became of one of them."""

    draft_id: int
    ok: bool
    status: str
    error: str


class BulkOut(Wire):
    """One result per draft, in the order asked."""

    results: list[BulkItem]


class Page(Wire):
    """`next` is the cursor of the following page; null on the last."""

    next: str | None


class AgentPage(Page):
    """A page of agents."""

    items: list[AgentOut]


class RoomPage(Page):
    """A page of rooms."""

    items: list[RoomOut]


class MessagePage(Page):
    """A page of messages, the newest first."""

    items: list[MessageOut]


class TurnPage(Page):
    """A page of decisions."""

    items: list[TurnOut]


class DraftPage(Page):
    """A page of drafts."""

    items: list[DraftOut]
