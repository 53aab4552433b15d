"""Says in plain words why a model server gave no answer, without its keys or its prose."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore2
import httpx2
import openai

from agentapp.foundation.redaction import redacted
from agentapp.foundation.text import one_line
from agentapp.llm.adapters.protocol import Failure, FailureKind, Target
from agentapp.llm.rules.retrying import parsed_retry_after

_BUSY = {408, 409, 425, 429}
_KEY = {401, 403, 407}
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}
QUOTED_CHARACTERS = 160

_NETWORK = (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.TransportError, ssl.SSLError)
_TIMEOUT = (httpcore2.TimeoutException, httpx2.TimeoutException)
_BEFORE_SENDING = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.UnsupportedProtocol,
)


@contextmanager
def explained(target: Target, *, is_answering: bool = False) -> Iterator[None]:
    """Turn whatever the SDK or the network raises into a `Failure`.

    Args:
        target: Its key is cut out of anything quoted.
        is_answering: The answer had begun; a break now is a cut, not a refusal.
    """
    try:
        yield
    except openai.APIStatusError as error:
        raise _of_status(error, target) from None
    except openai.APIConnectionError as error:
        raise _of_network(error.__cause__ or error, is_answering=is_answering) from None
    except openai.APIError as error:
        raise Failure(
            f"The model server broke off: {_quoted(error.message, target)}",
            kind=FailureKind.SERVER,
            may_be_billed=True,
        ) from None
    except (*_NETWORK, *_TIMEOUT) as error:
        raise _of_network(error, is_answering=is_answering) from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        # The SDK trusts the shape of what servers send; these are what a wrong shape ends in.
        raise malformed() from error


def malformed() -> Failure:
    """Return the failure for an answer in a shape that cannot be read."""
    return Failure(
        "The model server answered something that is not in the OpenAI format.",
        kind=FailureKind.MALFORMED,
        may_be_billed=True,
    )


def refuse_other_formats(response: httpx2.Response) -> None:
    """Raise unless the body is a stream of events."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        raise Failure(
            "A web page answers at this address, not a model server. It usually ends in /v1.",
            kind=FailureKind.ADDRESS,
        )
    if kind == "application/json":
        raise malformed()


def _of_status(error: openai.APIStatusError, target: Target) -> Failure:
    status, code = error.status_code, (error.code or error.type or "").lower()
    if status in _KEY:
        return Failure(
            "The model server refused the key. Paste a valid one under Settings.",
            kind=FailureKind.KEY,
        )
    if status == 402 or code in _NO_CREDIT:
        return Failure(
            "The account at the model server has no credit left. Add some there, then try again.",
            kind=FailureKind.CREDIT,
        )
    if status in _BUSY or status >= 500:
        return _of_trouble(error)
    return _of_request(error, target)


def _of_trouble(error: openai.APIStatusError) -> Failure:
    retry_after = parsed_retry_after(error.response.headers.get("retry-after"))
    if error.status_code in _BUSY:
        return Failure(
            "The model server is busy and asked us to wait.",
            kind=FailureKind.BUSY,
            retry_after=retry_after,
        )
    return Failure(
        f"The model server has trouble of its own (status {error.status_code}).",
        kind=FailureKind.SERVER,
        retry_after=retry_after,
    )


def _of_request(error: openai.APIStatusError, target: Target) -> Failure:
    said = _quoted(error.message, target)
    code = (error.code or "").lower()
    if error.status_code == 404 and ("model" in code or "model" in said.lower()):
        return Failure(f"The model server does not have this model: {said}", kind=FailureKind.MODEL)
    if error.status_code == 404 or 300 <= error.status_code < 400:
        return Failure(
            "No model server answers at this address. It usually ends in /v1.",
            kind=FailureKind.ADDRESS,
        )
    return Failure(f"The model server did not accept the request: {said}", kind=FailureKind.REQUEST)


def _of_network(error: BaseException, *, is_answering: bool) -> Failure:
    if is_answering:
        return Failure(
            "The model server broke off in the middle of its answer.",
            kind=FailureKind.CUT,
            may_be_billed=True,
        )
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(error):
        return Failure(
            "The server's certificate is not trusted, so nothing was sent to it.",
            kind=FailureKind.ADDRESS,
        )
    return Failure(
        "The model server cannot be reached. Check its address and that it is running.",
        kind=FailureKind.CONNECTION,
        may_be_billed=not isinstance(error, _BEFORE_SENDING),
    )


def _quoted(message: str, target: Target) -> str:
    if target.key:
        message = message.replace(target.key, "[hidden]")
    return one_line(redacted(message), limit=QUOTED_CHARACTERS)


def unsupported_parameter(error: openai.APIStatusError, sent: set[str]) -> str | None:
    """Return which parameter of ours a server does not know, when it says so."""
    if error.status_code not in {400, 422}:
        return None
    if error.param in sent:
        return error.param
    said = error.message.lower()
    return next((name for name in sorted(sent) if name in said), None)
