"""Servers that speak OpenAI's protocol with an accent: DeepSeek, Ollama and vLLM."""

from __future__ import annotations

import json

import pytest

from agentapp.llm import gateway, local_servers, services
from agentapp.llm.adapters.protocol import FailureKind
from agentapp.llm.errors import NotProven
from agentapp.llm.models import LLMCall, Provider
from agentapp.llm.rules.addresses import checked_base_url
from agentapp.llm.rules.protocols import protocol_of
from tests.cast import Cast
from tests.fakes.connecting import Ask
from tests.fakes.dialects import DialectServer, Reply
from tests.fakes.model_server import Behaviour, ModelServer

STREAM = "text/event-stream"


def event(**members: object) -> bytes:
    return b"data: " + json.dumps({"model": "fake-chat", **members}).encode() + b"\n\n"


def delta(content: str | None, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}


KEEP_ALIVE = b": keep-alive\n\n"


def test_comments_and_thoughts_are_no_part_of_an_answer(ask: Ask, server: ModelServer) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 5}
    server.always(
        Behaviour(
            raw=KEEP_ALIVE * 3
            + event(choices=[delta(None, reasoning_content="They want a greeting.")])
            + KEEP_ALIVE
            + event(choices=[delta("Good day.")])
            + event(choices=[delta("", "stop")], usage=usage)
            + b"data: [DONE]\n\n"
        )
    )

    answer = ask()

    assert answer.text == "Good day."
    call = LLMCall.objects.get()
    assert (call.tokens_in, call.tokens_cached, call.tokens_out) == (9, 5, 4)
    assert not call.is_estimated


def test_an_answer_that_the_server_gave_up_is_not_used(ask: Ask, server: ModelServer) -> None:
    end = event(choices=[delta("", "insufficient_system_resource")])
    server.always(Behaviour(raw=event(choices=[delta("half of")]) + end + b"data: [DONE]\n\n"))

    with pytest.raises(gateway.ProviderUnavailable, match="ran out of room"):
        ask()

    assert LLMCall.objects.get().answer == ""


ERRORS = [
    # DeepSeek
    (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error",
                     "code": "invalid_request_error"}}, FailureKind.CREDIT),
    (401, {"error": {"message": "Authentication Fails", "type": "authentication_error"}},
     FailureKind.KEY),
    (422, {"error": {"message": "Invalid parameters"}}, FailureKind.REQUEST),
    (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}},
     FailureKind.REQUEST),
    # Ollama
    (404, {"error": {"message": 'model "x" not found, try pulling it first',
                     "type": "api_error", "param": None, "code": None}}, FailureKind.MODEL),
    (404, {"error": "model 'x' not found"}, FailureKind.MODEL),
    (400, {"error": "invalid format"}, FailureKind.REQUEST),
    # vLLM
    (404, {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError",
                     "param": "model", "code": 404}}, FailureKind.MODEL),
    (404, {"object": "error", "message": "The model `x` does not exist.",
           "type": "NotFoundError", "param": None, "code": 404}, FailureKind.MODEL),
    (400, {"error": {"message": "This model's maximum context length is 4096 tokens, and "
                     "max_tokens is too large", "type": "BadRequestError", "code": 400}},
     FailureKind.REQUEST),
    (404, {"detail": "Not Found"}, FailureKind.ADDRESS),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), ERRORS)
def test_each_servers_own_errors_are_understood(
    cast: Cast, asks_dialect: tuple[Ask, DialectServer], status: int, body: object, kind: str
) -> None:
    ask, server = asks_dialect
    server.replies.append(Reply(status, json.dumps(body).encode()))

    with pytest.raises(gateway.ProviderUnavailable) as caught:
        ask()

    assert caught.value.kind == kind
    assert "Error code" not in caught.value.message
    assert len(server.seen) == 1


def test_a_busy_ollama_is_asked_again(asks_dialect: tuple[Ask, DialectServer]) -> None:
    ask, server = asks_dialect
    busy = b'{"error": {"message": "server busy, please try again", "type": "api_error"}}'
    server.replies.append(Reply(503, busy))
    server.replies.append(
        Reply(
            200,
            event(choices=[delta("Hello.")]) + event(choices=[delta("", "stop")]),
            content_type=STREAM,
        )
    )

    assert ask().text == "Hello."
    assert LLMCall.objects.get().is_estimated  # it sent no usage


@pytest.mark.parametrize("program", ["Ollama", "vLLM", ""])
def test_a_program_on_ones_own_machine_is_recognised(
    cast: Cast, server: ModelServer, program: str
) -> None:
    server.key, server.program = "", program

    services.set_provider(workspace=cast.workspace, base_url=server.base_url, key="", by=cast.root)

    expected = f"{program} at 127.0.0.1" if program else "127.0.0.1"
    assert Provider.objects.get().name.startswith(expected)


def test_what_runs_here_is_offered_and_not_used(cast: Cast, server: ModelServer) -> None:
    server.key, server.program = "", "Ollama"

    found = local_servers.found_here((server.base_url, "http://127.0.0.1:9/v1"))

    assert [(each.program, each.base_url) for each in found] == [("Ollama", server.base_url)]
    assert not Provider.objects.exists()
    assert server.completions() == []


def test_other_machines_are_not_looked_at() -> None:
    assert local_servers.program_at("https://models.example.com/v1") == ""


def test_an_ollama_without_models_says_what_to_do(
    cast: Cast, asks_dialect: tuple[Ask, DialectServer]
) -> None:
    _, server = asks_dialect
    server.models = b'{"object": "list", "data": null}'

    with pytest.raises(NotProven, match="Load one there first"):
        services.set_provider(
            workspace=cast.workspace, base_url=server.base_url, key="", by=cast.root
        )


@pytest.mark.parametrize("pasted", ["", "/", "/api", "/api/chat", "/api/generate/", "/v1"])
def test_ollamas_own_paths_lead_to_the_common_protocol(pasted: str) -> None:
    typed = f"http://localhost:11434{pasted}"
    assert checked_base_url(typed, has_key=False) == "http://localhost:11434/v1"


@pytest.mark.parametrize(
    ("address", "protocol"),
    [
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://api.deepseek.com/anthropic", "anthropic"),
        ("https://api.deepseek.com/v1", "openai"),
        ("https://anthropic.com.example/v1", "openai"),
        ("http://localhost:11434/v1", "openai"),
    ],
)
def test_an_address_tells_its_protocol(address: str, protocol: str) -> None:
    assert protocol_of(address) == protocol
