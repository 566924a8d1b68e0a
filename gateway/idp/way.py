"""The way to the provider: directly, or through a forward proxy that is asked to connect (RFC 9110 §9.3.6).

Nobody else goes it: upstreams and Redis are reached directly, whatever the environment says.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypedDict
from urllib.parse import urlsplit

from gateway.oidc.urls import is_loopback


class Through(TypedDict, total=False):
    """What the HTTP client wants to know of a proxy; nothing where there is none."""

    proxy: str
    proxy_headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProviderWay:
    """How provider addresses are reached.

    :ivar proxy: its origin; empty for none. :ivar user: and :ivar password: what it asks for; empty for nothing.
    :ivar past: hosts that are reached without it, as `passes` reads them.
    """

    proxy: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    past: tuple[str, ...] = ()

    def through(self, url: str) -> Through:
        """The proxy for ``url``: none for what is on this machine, so that plain http never meets one."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not self.proxy or is_loopback(host) or passes(self.past, host, parts.port or 443):
            return {}
        return {"proxy": self.proxy, "proxy_headers": self._credentials()}

    def _credentials(self) -> dict[str, str]:
        if not self.user:
            return {}
        pair = b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Proxy-Authorization": f"Basic {pair}"}


def passes(past: Sequence[str], host: str, port: int) -> bool:
    """Whether ``host`` is reached without the proxy, as curl and Go read ``NO_PROXY``.

    :param past: names for themselves and all below them, with or without a dot or ``*.`` in front; addresses; networks;
        with a port for that alone. ``*`` is all.
    """
    return any(_names(entry.lower(), host.lower().rstrip("."), port) for entry in past)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # one of the two is no address
    name, colon, number = entry.rpartition(":")
    if colon and number.isascii() and number.isdigit():
        if int(number) != port:
            return False
        entry = name
    name = entry.removeprefix("*").strip("[]").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
