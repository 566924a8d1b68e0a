"""Forward-auth: from a proxy's question to the facts of the request it asks about (rule R7).

Each kind of caller says method, host and target in exactly one place. Whatever else claims to know them
(``X-Original-*``, ``X-Forwarded-*``, the question's own method, Host and path) is not looked at, so that nobody can
have one request checked and another one served. Everything else the client sent comes along in the question as it was,
and the facts are built by the same function as those at the door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.core.addresses import is_trusted
from gateway.core.errors import DownstreamError
from gateway.core.facts import DoorRules, RawHeaders, RequestFacts, build

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110 §5.6.2."""
_NEVER_PROXIED = frozenset({b"CONNECT", b"TRACE"})
"""What the door refuses as well: neither is a request for an application."""
_URL = re.compile(rb"https?://([^/]*)(/.*)", re.DOTALL)
_OF_THE_QUESTION = frozenset({b"host", b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class _Original:
    method: bytes
    authority: bytes
    target: bytes


def original_facts(caller: str, headers: RawHeaders, peer: str, rules: DoorRules) -> RequestFacts:
    """The facts of the request that is asked about.

    :param caller: kind of proxy, ``forward_auth.caller``. :param headers: of the question, in the order of the wire.
    :param peer: address of the connection. Only ``rules.trusted_proxies`` are believed; loopback is not among them
        unless it is listed.
    :raises DownstreamError: ``untrusted_caller``, ``original_missing``, ``original_ambiguous``,
        ``original_malformed``, or what :func:`gateway.core.facts.build` raises. None of them may become a pass.
    """
    if not is_trusted(peer, rules.trusted_proxies):
        raise DownstreamError(
            "untrusted_caller",
            "The question came from an address that is not trusted.",
            mend="List the proxy's address in `trusted_proxies`; loopback, too, counts only when it is listed.",
        )
    original = _CALLERS[caller](headers)
    if _METHOD.fullmatch(original.method) is None or original.method in _NEVER_PROXIED:
        raise _malformed("method")
    own = [(b"Host", original.authority), *_of_the_client(headers)]
    return build(original.method.decode("ascii"), original.target.decode("latin-1"), own, peer, rules)


def _nginx(headers: RawHeaders) -> _Original:
    """``X-Original-Method`` and ``X-Original-URL``, as the recipe and ingress-nginx send them (protocol facts D.2).

    nginx refuses a Host with a slash in it, so the first slash after the scheme begins the target.
    """
    url = _URL.fullmatch(_only(headers, b"x-original-url"))
    if url is None:
        raise _malformed("URL")
    # The scheme is not a fact: behind a load balancer nginx sees http where the browser says https.
    return _Original(_only(headers, b"x-original-method"), *url.groups())


_CALLERS: Mapping[str, Callable[[RawHeaders], _Original]] = {"nginx": _nginx}


def _only(headers: RawHeaders, name: bytes) -> bytes:
    found = [value for key, value in headers if key.lower() == name]
    if not found:
        what = f"The question has no {name.decode()} header."
        raise DownstreamError(
            "original_missing", what, mend="Have the proxy send it, as the recipe for it does."
        )
    if len(found) > 1:
        what = f"The question has {name.decode()} more than once."
        raise DownstreamError(
            "original_ambiguous", what, mend="Have the proxy replace the client's own, as the recipe does."
        )
    return found[0]


def _malformed(part: str) -> DownstreamError:
    return DownstreamError(
        "original_malformed",
        f"The {part} of the request that is asked about cannot be read.",
        mend="Have the proxy send method and URL as they came, as the recipe for it does.",
    )


def _of_the_client(headers: RawHeaders) -> RawHeaders:
    """The client's headers: those of the question without what frames the question itself."""
    own = [pair for pair in headers if pair[0].lower() not in _OF_THE_QUESTION]
    names = {name.lower() for name, _ in own}
    if b"sec-websocket-key" in names and b"upgrade" not in names:
        # Upgrade is hop-by-hop, so a proxy drops it from the question; a handshake must not pass for a GET (rule R8).
        own.append((b"Upgrade", b"websocket"))
    return own
