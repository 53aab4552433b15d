"""Models that ask for tools: the same promise on both wires."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from agentapp.llm.errors import ProviderUnavailable
from agentapp.llm.gateway import ChatMessage, Role, ToolRequest, ToolSpec
from agentapp.llm.models import LLMCall, Spend
from tests.cast import Cast
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.connecting import Ask, connect, connect_anthropic
from tests.fakes.model_server import Behaviour, ModelServer

LOOK = ToolSpec(
    "recall",
    "Look something up.",
    {"type": "object", "properties": {"about": {"type": "string"}}, "required": ["about"]},
)
ASKED = '{"about": "the exam"}'
QUESTION = ChatMessage(Role.USER, "How did it go?")


@pytest.fixture(params=["openai", "anthropic"])
def wire(request: pytest.FixtureRequest, cast: Cast) -> Iterator[ModelServer]:
    """A server of each kind, connected."""
    if request.param == "openai":
        with ModelServer() as running:
            connect(cast.workspace, running)
            yield running
        return
    with AnthropicServer() as running:
        connect_anthropic(cast.workspace, running)
        yield running


@pytest.fixture
def ask(cast: Cast, wire: ModelServer, asking: Callable[[Cast], Ask]) -> Ask:
    return asking(cast)


def test_a_request_comes_whole_and_is_paid_for(ask: Ask, wire: ModelServer) -> None:
    wire.behave(Behaviour(asks=(("recall", ASKED), ("recall", '{"about": "Ben"}'))))
    heard: list[str] = []
    answer = ask(tools=[LOOK], on_text=heard.append)
    assert answer.text == ""
    assert [each.name for each in answer.requests] == ["recall", "recall"]
    assert [json.loads(each.arguments)["about"] for each in answer.requests] == ["the exam", "Ben"]
    assert len({each.id for each in answer.requests}) == 2
    assert "".join(heard) == ""
    call = LLMCall.objects.get()
    assert (call.status, call.tokens_out) == ("done", wire.requests[0].tokens_out)
    assert Spend.objects.get().spent_micros == call.cost_micros > 0


def test_the_same_key_gets_the_same_requests_for_nothing(ask: Ask, wire: ModelServer) -> None:
    wire.behave(Behaviour(asks=(("recall", ASKED),)))
    assert ask(tools=[LOOK]).requests == ask(tools=[LOOK]).requests
    assert len(wire.completions()) == 1


def test_results_go_back_in_the_servers_own_shape(ask: Ask, wire: ModelServer) -> None:
    request = ToolRequest("id-1", "recall", ASKED)
    messages = [
        QUESTION,
        ChatMessage(Role.ASSISTANT, "", requests=(request,)),
        ChatMessage(Role.TOOL, "On Tuesday.", answers="id-1"),
    ]
    assert ask(messages=messages, tools=[LOOK]).text
    body = wire.completions()[-1].body
    sent = json.dumps(body["messages"])
    assert sent.count("id-1") == 2
    assert "On Tuesday." in sent
    if isinstance(wire, AnthropicServer):
        assert body["tools"][0]["input_schema"] == LOOK.parameters
        assert body["messages"][1]["content"][0]["input"] == {"about": "the exam"}
        assert body["messages"][2]["role"] == "user"
    else:
        assert body["tools"][0]["function"]["parameters"] == LOOK.parameters
        assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == ASKED
        assert body["messages"][2]["role"] == "tool"


def test_a_server_is_told_that_it_has_to_talk_now(ask: Ask, wire: ModelServer) -> None:
    ask(tools=[LOOK], must_talk=True)
    choice = wire.completions()[-1].body["tool_choice"]
    assert choice in ("none", {"type": "none"})


def test_a_server_without_tools_is_asked_without_them(ask: Ask, wire: ModelServer) -> None:
    wire.always(Behaviour(unknown=("tools",)))
    assert ask(tools=[LOOK]).text
    assert "tools" not in wire.completions()[-1].body
    assert "tool_choice" not in wire.completions()[-1].body


def test_what_tools_are_described_with_is_held_and_counted(ask: Ask, wire: ModelServer) -> None:
    long = ToolSpec("long", "word " * 500, {"type": "object"})
    most = []
    for n, tools in enumerate(([], [long])):
        wire.behave(Behaviour(status=400, message="No."))
        with pytest.raises(ProviderUnavailable):
            ask(key=f"turn:{n}", tools=tools)
        call = LLMCall.objects.get(key=f"turn:{n}")
        most.append(call.reservations.get().amount_micros)
    assert most[1] > most[0]


def test_arguments_without_end_are_cut_off(ask: Ask, wire: ModelServer) -> None:
    wire.behave(Behaviour(asks=(("recall", "x" * 50_000),)))
    with pytest.raises(ProviderUnavailable, match="would not stop"):
        ask(tools=[LOOK])


def test_nameless_and_endless_requests_are_left_out(ask: Ask, wire: ModelServer) -> None:
    wire.behave(Behaviour(asks=(("", "{}"), *((f"t{n}", "{}") for n in range(20)))))
    names = [each.name for each in ask(tools=[LOOK]).requests]
    assert names == [f"t{n}" for n in range(7)]
