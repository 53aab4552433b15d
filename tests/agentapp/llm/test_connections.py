"""Connections go only where they may, carry only what they must, and are used again."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from agentapp.llm.adapters import openai as openai_adapter
from agentapp.llm.adapters.openai import OpenAIAdapter
from agentapp.llm.adapters.protocol import (
    ChatMessage,
    Chunk,
    Failure,
    FailureKind,
    Request,
    Role,
    Target,
    Watch,
)
from tests.fakes.model_server import KEY, Behaviour, ModelServer
from tests.pace import allowed

ROOT = Path(__file__).resolve().parents[3]


def request(base_url: str, *, model: str = "fake-chat", seconds: float = 5) -> Request:
    return Request(
        model=model,
        messages=(ChatMessage(Role.USER, "Hello"),),
        max_tokens=20,
        temperature=0.5,
        watch=Watch.lasting(seconds),
        target=Target("1", base_url=base_url, key=KEY),
    )


def answer(question: Request) -> str:
    return "".join(chunk.text for chunk in OpenAIAdapter().stream(question))


@pytest.mark.parametrize(
    "host",
    [
        "192.168.7.7",
        "169.254.169.254",
        "[fe80::1]",
        "1.1.1.1",
        "models.example.com",
        "[::ffff:1.1.1.1]",
    ],
)
def test_with_real_requests_off_only_loopback_is_reached(host: str) -> None:
    with pytest.raises(Failure, match="not allowed here") as caught:
        answer(request(f"http://{host}:9/v1"))

    assert caught.value.kind is FailureKind.ADDRESS
    assert not caught.value.may_be_billed


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::]", "[::ffff:169.254.169.254]", "224.0.0.1"]
)
def test_the_clouds_own_address_is_never_reached(settings: Settings, host: str) -> None:
    settings.LLM_ALLOW_REQUESTS = True

    with pytest.raises(Failure, match="not allowed here"):
        answer(request(f"http://{host}:9/v1"))


def test_a_name_that_leads_to_a_forbidden_address_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LLM_ALLOW_REQUESTS = True
    row = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kw: [row])

    with pytest.raises(Failure, match=r"innocent\.example are not allowed"):
        answer(request("http://innocent.example/v1"))


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(
    settings: Settings, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LLM_ALLOW_REQUESTS = True
    port = server.base_url.rpartition(":")[2].partition("/")[0]
    looked_up: list[str] = []

    def first_loopback_then_elsewhere(host: str, *_args: object, **_kw: object) -> list[object]:
        looked_up.append(host)
        address = "127.0.0.1" if looked_up == ["rebinding.example"] else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **kw: (
            first_loopback_then_elsewhere(host)
            if host == "rebinding.example"
            else real(host, *args, **kw)
        ),
    )

    assert answer(request(f"http://rebinding.example:{port}/v1"))
    assert looked_up == ["rebinding.example"]


def test_an_unknown_name_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LLM_ALLOW_REQUESTS = True

    def unknown(*_args: object, **_kw: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(Failure, match=r"no server named nowhere\.example") as caught:
        answer(request("http://nowhere.example/v1"))

    assert caught.value.kind is FailureKind.ADDRESS


def test_a_lookup_that_hangs_ends_with_the_deadline(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LLM_ALLOW_REQUESTS = True
    over = threading.Event()

    def hanging(*_args: object, **_kw: object) -> list[object]:
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    began = time.monotonic()

    with pytest.raises(Exception, match="did not come in time"):
        answer(request("http://slow.example/v1", seconds=1))

    over.set()
    assert time.monotonic() - began < allowed(2)


def test_a_redirect_is_not_followed(server: ModelServer) -> None:
    server.always(Behaviour(status=307))

    with pytest.raises(Failure, match="No model server answers"):
        answer(request(server.base_url))

    assert len(server.requests) == 1


def test_one_connection_serves_one_question_after_the_other(server: ModelServer) -> None:
    for _ in range(5):
        assert answer(request(server.base_url))

    assert len({seen.client for seen in server.completions()}) == 1


def test_a_stopped_answer_does_not_poison_the_next(server: ModelServer) -> None:
    server.behave(Behaviour(text="word " * 300, gap=0.01))
    chunks = OpenAIAdapter().stream(request(server.base_url))
    assert isinstance(next(iter(chunks)), Chunk)
    chunks.close()  # type: ignore[attr-defined]

    assert answer(request(server.base_url)) == "You said something kind."


def test_the_hosts_own_account_and_telemetry_stay_at_home(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-host")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-the-host")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    answer(request(server.base_url))

    (seen,) = server.completions()
    assert "of-the-host" not in str(seen.headers)
    assert not [name for name in seen.headers if name.startswith(("x-stainless", "openai-"))]


def test_what_a_server_does_not_understand_is_left_out_and_remembered(server: ModelServer) -> None:
    server.always(Behaviour(unknown=("max_tokens", "temperature", "stream_options")))

    assert answer(request(server.base_url))
    assert answer(request(server.base_url))

    first, *_, last = server.completions()
    assert {"max_tokens", "temperature", "stream_options"} <= set(first.body)
    assert not {"max_tokens", "temperature", "stream_options"} & set(last.body)
    assert last.body["max_completion_tokens"] == 20
    assert len(server.completions()) == 5  # three refusals, then two answers


def test_a_server_that_refuses_both_spellings_of_the_limit_is_given_up(
    server: ModelServer,
) -> None:
    server.always(Behaviour(unknown=("max_tokens", "max_completion_tokens")))

    with pytest.raises(Failure) as caught:
        answer(request(server.base_url))

    assert caught.value.kind is FailureKind.REQUEST
    assert len(server.completions()) == 3


def test_models_that_think_are_told_to_think_little(server: ModelServer) -> None:
    answer(request(server.base_url, model="gpt-5-mini"))

    (seen,) = server.completions()
    assert seen.body["reasoning_effort"] == "low"
    assert seen.body["max_completion_tokens"] == 20
    assert "temperature" not in seen.body


def test_a_key_is_not_in_a_repr() -> None:
    assert KEY not in repr(request("http://127.0.0.1/v1"))


@pytest.mark.parametrize(
    "module", ["agentapp.llm.gateway", "agentapp.llm.services", "agentapp.llm.watchdog"]
)
def test_the_sdk_is_loaded_only_when_a_model_is_asked(module: str) -> None:
    code = (
        "import django, sys; django.setup(); "
        f"import {module}; "
        "print(sorted({'anthropic', 'openai', 'httpx2', 'httpcore2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_clients_that_are_no_longer_kept_close_when_their_last_answer_is_read(
    server: ModelServer,
) -> None:
    server.always(Behaviour(text="One two three four.", gap=0.02))
    kept = openai_adapter._client(os.getpid(), server.base_url, KEY)._client
    under_way = OpenAIAdapter().stream(request(server.base_url))
    words = next(under_way).text

    for number in range(openai_adapter.MAX_CLIENTS):
        openai_adapter._client(os.getpid(), server.base_url, f"another key {number}")
    gc.collect()

    assert not kept.is_closed
    words += "".join(chunk.text for chunk in under_way)
    assert words == "One two three four."
    del under_way
    gc.collect()
    assert kept.is_closed
