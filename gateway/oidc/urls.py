"""URLs of the provider: which are acceptable, and how parameters are put on them byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""As browsers and policy headers take them: a name, or an IPv6 address."""


def with_query(url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """``url`` with ``parameters`` appended, in order; a query the URL already has is kept (RFC 6749 §3.1).

    Everything but unreserved characters (RFC 3986 §2.3) is percent-encoded as UTF-8, a space as ``%20``:
    providers compare decoded values byte for byte, and ``+`` does not decode to a space everywhere.
    """
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


def form(parameters: Iterable[tuple[str, str]]) -> bytes:
    """``parameters`` as an ``application/x-www-form-urlencoded`` body, encoded as `with_query` does."""
    return with_query("", parameters).removeprefix("?").encode("ascii")


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be this machine: a loopback address or ``*.localhost`` (RFC 6761 §6.3)."""
    host = host.lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def fault_of(url: str, *, http_on_loopback: bool = True) -> str | None:
    """Why ``url`` cannot be an endpoint of a provider; None when it can.

    :param http_on_loopback: whether plain http is accepted on loopback names. Pass False for the endpoints of
        a provider whose issuer is https, so that its metadata cannot lead us down to this machine.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "holds characters that a URL cannot"
    try:
        split = urlsplit(url)
        split.port  # noqa: B018  the property raises on a port that is no number
    except ValueError:
        return "is not a URL"
    return _fault_of_parts(split, http_on_loopback=http_on_loopback)


def _fault_of_parts(split: SplitResult, *, http_on_loopback: bool) -> str | None:
    if not split.hostname:
        return "is not an absolute URL"
    if split.username is not None or split.password is not None:
        return "holds a user name"
    if split.fragment:
        return "has a fragment"
    if not _HOST.fullmatch(split.hostname):
        return "names a host that is none"
    if split.scheme == "https":
        return None
    if split.scheme == "http" and http_on_loopback and is_loopback(split.hostname):
        return None
    return "is not https"
