"""Says in plain words why a model server gave no answer, without its keys or its prose."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import httpcore2
import httpx2

from agentapp.foundation.redaction import redacted
from agentapp.foundation.text import one_line
from agentapp.llm.adapters.protocol import Failure, FailureKind, Target
from agentapp.llm.adapters.refusals import Refusal, StatusError, read_refusal

_BUSY = {408, 409, 425, 429}
_KEY = {401, 403, 407}
_OVERLOADED = {503, 529}
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}
_SAYS_NO_CREDIT = "credit balance is too low"  # comes as an ordinary 400
QUOTED_CHARACTERS = 160

_NETWORK = (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.TransportError, ssl.SSLError)
_TIMEOUT = (httpcore2.TimeoutException, httpx2.TimeoutException)
_BEFORE_SENDING = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Sdk:
    """The errors that one SDK raises; both SDKs have the same three families."""

    status: type[Exception]
    connection: type[Exception]
    any_error: type[Exception]


@contextmanager
def explained(target: Target, sdk: Sdk, *, is_answering: bool = False) -> Iterator[None]:
    """Turn whatever the SDK or the network raises into a `Failure`.

    Args:
        target: Its key is cut out of anything quoted.
        sdk: Whose errors they are.
        is_answering: The answer had begun; a break now is a cut, not a refusal.
    """
    try:
        yield
    except sdk.status as error:
        raise _of_refusal(read_refusal(cast("StatusError", error)), target) from None
    except sdk.connection as error:
        raise _of_network(error.__cause__ or error, is_answering=is_answering) from None
    except sdk.any_error as error:
        raise _broke_off(str(error), target) from None
    except (*_NETWORK, *_TIMEOUT) as error:
        raise _of_network(error, is_answering=is_answering) from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        # The SDKs trust the shape of what servers send; these are what a wrong shape ends in.
        raise malformed() from error


def malformed() -> Failure:
    """Return the failure for an answer in a shape that cannot be read."""
    return Failure(
        "The model server answered something that is not in the format it should speak.",
        kind=FailureKind.MALFORMED,
        may_be_billed=True,
    )


def refuse_other_formats(headers: httpx2.Headers) -> None:
    """Raise unless the body is a stream of events."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        raise Failure(
            "A web page answers at this address, not a model server. It usually ends in /v1.",
            kind=FailureKind.ADDRESS,
        )
    if kind == "application/json":
        raise malformed()


def _of_refusal(refusal: Refusal, target: Target) -> Failure:
    if refusal.was_streaming:
        return _broke_off(refusal.said, target, retry_after=refusal.retry_after)
    if refusal.status in _KEY:
        return Failure(
            "The model server refused the key. Paste a valid one under Settings.",
            kind=FailureKind.KEY,
        )
    if refusal.status == 402 or refusal.code in _NO_CREDIT or _SAYS_NO_CREDIT in refusal.lowered:
        return Failure(
            "The account at the model server has no credit left. Add some there, then try again.",
            kind=FailureKind.CREDIT,
        )
    if refusal.status in _BUSY or refusal.status >= 500:
        return _of_trouble(refusal)
    return _of_request(refusal, target)


def _of_trouble(refusal: Refusal) -> Failure:
    if refusal.status in _BUSY:
        return Failure(
            "The model server is busy and asked us to wait.",
            kind=FailureKind.BUSY,
            retry_after=refusal.retry_after,
        )
    trouble = "is overloaded" if refusal.status in _OVERLOADED else "has trouble of its own"
    return Failure(
        f"The model server {trouble} (status {refusal.status}).",
        kind=FailureKind.SERVER,
        retry_after=refusal.retry_after,
    )


def _of_request(refusal: Refusal, target: Target) -> Failure:
    said = _quoted(refusal.said, target)
    if refusal.status == 404 and ("model" in refusal.code or "model" in refusal.lowered):
        return Failure(f"The model server does not have this model: {said}", kind=FailureKind.MODEL)
    if refusal.status == 404 or 300 <= refusal.status < 400:
        return Failure(
            "No model server answers at this address. It usually ends in /v1.",
            kind=FailureKind.ADDRESS,
        )
    return Failure(f"The model server did not accept the request: {said}", kind=FailureKind.REQUEST)


def _broke_off(said: str, target: Target, *, retry_after: float | None = None) -> Failure:
    return Failure(
        f"The model server broke off: {_quoted(said, target)}",
        kind=FailureKind.SERVER,
        retry_after=retry_after,
        may_be_billed=True,
    )


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
