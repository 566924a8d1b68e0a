"""Cookies of the gateway's predecessor, expired at sign-out (``logout.expire_cookies``, protocol facts A.13).

A load balancer's or another proxy's session cookie stays in the browser when that proxy is gone, and opens the door
again when it comes back. A browser removes a cookie only when told its name, Path and Domain, and a request tells the
name alone. So every name is expired with ``Path=/``, without a Domain and for each domain that the gateway's host may
speak for; what has another Path, or is partitioned, stays. Browsers ignore a Domain that is a public suffix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from gateway.core.http.own_cookies import is_own_cookie, names

MOST = 16
"""Cookies found by the beginning of their name, in one answer. ALB cuts its session into four at the most; without a
bound a sibling site could plant so many that the answer is too large for a proxy in front.
"""
_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def expired(wanted: Sequence[str], host: str, sent: Sequence[bytes]) -> list[str]:
    """Set-Cookie values that remove these cookies.

    :param wanted: names; one that ends in ``*`` means every cookie the browser has sent whose name begins so.
    :param host: of ``public_url``, without a port. :param sent: raw values of the Cookie headers (rule R17).
    """
    domains = _domains(host)
    return [line for name in _found(wanted, sent) for line in _lines(name, domains)]


def _found(wanted: Sequence[str], sent: Sequence[bytes]) -> list[str]:
    fixed = [name for name in wanted if not name.endswith("*")]
    beginnings = tuple(name[:-1].encode() for name in wanted if name.endswith("*"))
    carried = [name for name in names(sent) if name.startswith(beginnings)] if beginnings else []
    # Only a token can stand in Set-Cookie; anything else there could end the line or add an attribute.
    fit = [name.decode() for name in carried if _TOKEN.fullmatch(name) and not is_own_cookie(name)]
    return list(dict.fromkeys((*fixed, *list(dict.fromkeys(fit))[:MOST])))


def _domains(host: str) -> list[str]:
    """The host and its parents, down to two labels: those that a cookie of this host can name."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        return [".".join(labels[at:]) for at in range(len(labels) - 1)]
    return []  # an address has no parents, and a Domain that is one is taken for a cookie without


def _lines(name: str, domains: Sequence[str]) -> Iterator[str]:
    yield f"{name}={_ATTRIBUTES}"
    if not name.startswith("__Host-"):  # those have no Domain, or browsers refuse the line
        yield from (f"{name}={_ATTRIBUTES}; Domain={domain}" for domain in domains)
