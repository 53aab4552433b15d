"""Which addresses a model server may have, and which of them are one's own machines."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from agentapp.foundation.errors import Invalid

MAX_URL = 300
_LOCAL_ENDINGS = (".local", ".localhost", ".lan", ".internal", ".home.arpa")
_PASTED_ENDINGS = ("/chat/completions", "/completions", "/messages", "/models")
_OLLAMA_PORT = 11434
_OLLAMA_PATHS = ("/api", "/api/chat", "/api/generate", "/api/tags")

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # private overlays such as Tailscale live here

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadAddress(Invalid):
    """This is not an address of a model server. It looks like https://api.example.com/v1."""


def checked_base_url(text: str, *, has_key: bool) -> str:
    """Return a base URL in its one spelling.

    Endings that people paste along (`/chat/completions`, `/models`) go; a bare host gets `/v1`.

    Raises:
        BadAddress: Not http(s), credentials or a query in it, a forbidden literal address, or a
            key that would travel unprotected over the internet.
    """
    text = text.strip()
    parts = _split(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadAddress
    if parts.username or parts.password or "@" in parts.netloc:
        raise BadAddress("Leave the name and password out of the address; the key has its field.")
    if parts.query or parts.fragment:
        raise BadAddress("Leave out everything after ? or # in the address.")
    if not _is_sane_host(parts.hostname) or not is_allowed_literal(parts.hostname):
        raise BadAddress("No model server can be at this address.")
    if has_key and parts.scheme == "http" and not is_local_host(parts.hostname):
        raise BadAddress("Over http:// your key could be read on the way. Use https://.")
    return f"{parts.scheme}://{_netloc(parts)}{_path(parts)}"


def _split(text: str) -> SplitResult:
    if len(text) > MAX_URL or any(character.isspace() or ord(character) < 33 for character in text):
        raise BadAddress
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for 0…65535 exceeded
    except ValueError as error:
        raise BadAddress from error
    return parts


def _is_sane_host(host: str) -> bool:
    """Refuse numbers that only some programs read as an address, such as 2130706433 or 0x7f.1."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return _literal(host) is not None or not (last.isdigit() or last.startswith("0x"))


def _netloc(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    return host if parts.port is None else f"{host}:{parts.port}"


def _path(parts: SplitResult) -> str:
    path = parts.path.rstrip("/")
    if parts.port == _OLLAMA_PORT and path in _OLLAMA_PATHS:
        return "/v1"
    for ending in _PASTED_ENDINGS:
        path = path.removesuffix(ending)
    return path or "/v1"


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: what a stored key is bound to."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def is_local_host(host: str) -> bool:
    """Return whether a host is one's own: loopback, private network, or a name only used there."""
    host = host.lower().rstrip(".")
    address = _literal(host)
    if address is not None:
        return address.is_loopback or address.is_private or address in _SHARED
    return "." not in host or host.endswith(_LOCAL_ENDINGS)


def is_local_url(url: str) -> bool:
    """Return whether a model server runs on one's own machines and therefore costs nothing."""
    return is_local_host(urlsplit(url).hostname or "")


def is_allowed_literal(host: str) -> bool:
    """Return False for a literal address that no model server may have."""
    address = _literal(host)
    return address is None or is_allowed_address(address, only_loopback=False)


def is_allowed_address(address: IPAddress, *, only_loopback: bool) -> bool:
    """Return whether a connection may be opened to an address.

    Private networks are allowed: that is where people run their own models. Link-local is not,
    because clouds answer there with the machine's credentials.
    """
    address = _unwrapped(address)
    if only_loopback or address.is_loopback:
        return address.is_loopback
    return not (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )


def _unwrapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address inside an IPv6 one, where it hides one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
