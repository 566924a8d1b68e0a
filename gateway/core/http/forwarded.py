"""Forward-auth: from a proxy's question to the facts of the request it asks about (rule R7).

Each kind of caller says method, host and target in exactly one place. Whatever else claims to know them
(``X-Original-*``, ``X-Forwarded-*``, the question's own method, Host and path) is not looked at, so that nobody can
have one request checked and another one served. Everything else the client sent comes along in the question as it was,
and the facts are built by the same function as those at the door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import is_trusted
from gateway.core.http.facts import DoorRules, HeaderFacts, RawHeaders, RequestFacts, complete

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110 §5.6.2."""
_NEVER_PROXIED = frozenset({b"CONNECT", b"TRACE"})
"""What the door refuses as well: neither is a request for an application."""
_URL = re.compile(rb"https?://([^/]*)(/.*)", re.DOTALL)
_LOOKED_AT = frozenset({b"x-original-method", b"x-original-url", b"upgrade", b"sec-websocket-key"})
_LENGTHS = frozenset(map(len, _LOOKED_AT))
_Fields = Mapping[bytes, Sequence[bytes]]
"""The headers looked at, by their lower-case names."""


class _Original(NamedTuple):
    method: bytes
    authority: bytes
    target: bytes


def original_facts(
    caller: str, headers: RawHeaders, header_facts: HeaderFacts, peer: str, rules: DoorRules
) -> RequestFacts:
    """The facts of the request that is asked about.

    :param caller: kind of proxy, ``forward_auth.caller``. :param headers: of the question, in the order of the wire.
    :param header_facts: what they say. Host apart it holds for the request that is asked about, because all that the
        client sent comes along; framing is no fact.
    :param peer: address of the connection. Only ``rules.trusted_proxies`` are believed; loopback is not among them
        unless it is listed.
    :raises DownstreamError: ``untrusted_caller``, ``original_missing``, ``original_ambiguous``,
        ``original_malformed``, or what :func:`gateway.core.http.facts.complete` raises. None of them may become a pass.
    """
    if not is_trusted(peer, rules.trusted_proxies):
        raise DownstreamError("untrusted_caller")
    fields = _fields_of(headers)
    original = _CALLERS[caller](fields)
    if _METHOD.fullmatch(original.method) is None or original.method in _NEVER_PROXIED:
        raise DownstreamError("original_malformed", "method")
    about = HeaderFacts(
        authority=original.authority.decode("latin-1").lower(),
        forwarded=header_facts.forwarded,
        # Upgrade is hop-by-hop, so a proxy drops it from the question; a handshake must not pass for a GET (rule R8).
        websocket=header_facts.websocket or (b"sec-websocket-key" in fields and b"upgrade" not in fields),
        asks=header_facts.asks,
        rest=header_facts.rest,
    )
    return complete(original.method.decode("ascii"), original.target.decode("latin-1"), about, peer, rules)


def _fields_of(headers: RawHeaders) -> _Fields:
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if len(name) in _LENGTHS and (lower := name.lower()) in _LOOKED_AT:
            fields.setdefault(lower, []).append(value)
    return fields


def _nginx(fields: _Fields) -> _Original:
    """``X-Original-Method`` and ``X-Original-URL``, as the recipe and ingress-nginx send them (protocol facts D.2).

    nginx refuses a Host with a slash in it, so the first slash after the scheme begins the target.
    """
    url = _URL.fullmatch(_only(fields, b"x-original-url"))
    if url is None:
        raise DownstreamError("original_malformed", "url")
    # The scheme is not a fact: behind a load balancer nginx sees http where the browser says https.
    return _Original(_only(fields, b"x-original-method"), *url.groups())


_CALLERS: Mapping[str, Callable[[_Fields], _Original]] = {"nginx": _nginx}


def _only(fields: _Fields, name: bytes) -> bytes:
    found = fields.get(name, ())
    if not found:
        raise DownstreamError("original_missing", name.decode())
    if len(found) > 1:
        raise DownstreamError("original_ambiguous", name.decode())
    return found[0]
