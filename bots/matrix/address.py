"""Which address a homeserver may have, and where a connection to it may go.

The rules of model servers hold here too. One's own networks count as well only where the operator
says so, because the owner of an agent need not be the operator.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from agentapp.foundation.errors import Invalid
from agentapp.llm.rules.addresses import IPAddress, is_allowed_address, is_local_host
from bots.matrix.errors import PRIVATE

MAX_URL = 300  # characters
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class BadHomeserver(Invalid):
    """This is not a homeserver's address. It looks like https://matrix.example.org."""


def checked_homeserver(text: str, *, allow_private: bool) -> str:
    """Return a homeserver's base address in its one spelling.

    A bare host gets https://. Plain http:// is for one's own machines only.

    Raises:
        BadHomeserver: Not http(s), more than a host and a port, or an address that is not allowed.
    """
    text = text.strip().rstrip("/")
    if "://" not in text:
        text = f"https://{text}"
    scheme, host, port = _parts(text)
    literal = literal_address(host)
    if literal is not None and not may_connect(literal, allow_private=allow_private):
        raise BadHomeserver(
            PRIVATE if not allow_private else "Nothing may connect to this address."
        )
    if scheme == "http" and not (allow_private and is_local_host(host)):
        raise BadHomeserver(
            PRIVATE
            if is_local_host(host)
            else "Over http:// the login could be read on the way. Use https://."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port is None else f":{port}")


def _parts(text: str) -> tuple[str, str, int | None]:
    if len(text) > MAX_URL or any(c.isspace() or ord(c) < 33 or ord(c) > 126 for c in text):
        raise BadHomeserver
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadHomeserver from error
    host = (parts.hostname or "").lower()
    is_bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in {"http", "https"} or not host or not is_bare:
        raise BadHomeserver
    last = host.rstrip(".").rpartition(".")[2]
    if literal_address(host) is None and (last.isdigit() or last.startswith("0x")):
        raise BadHomeserver  # a number that only some programs read as an address
    return parts.scheme, host, port


def may_connect(address: IPAddress, *, allow_private: bool) -> bool:
    """Say whether a connection may be opened to an address that a name stands for."""
    if allow_private:
        return is_allowed_address(address, only_loopback=False)
    if isinstance(address, ipaddress.IPv6Address) and _hides_another(address):
        return False
    return address.is_global and is_allowed_address(address, only_loopback=False)


def _hides_another(address: ipaddress.IPv6Address) -> bool:
    is_mapped = address.ipv4_mapped is not None or address.sixtofour is not None
    return is_mapped or address.teredo is not None or address in _NAT64


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a host is written as, or None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
