"""Forward-auth: from a proxy's question to the facts of the request it asks about (rule R7).

Each kind of caller says method, host and target in exactly one place. Whatever else claims to know them (the headers
of other callers, or the question's own method, Host and path) is not looked at, so that nobody can have one request
checked and another one served. Everything else the client sent comes along in the question as it was, and the facts are
built by the same function as those at the door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hmac import compare_digest
from typing import NamedTuple

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import UNKNOWN, Networks, is_trusted
from gateway.core.http.facts import DoorRules, HeaderFacts, RawHeaders, RequestFacts, complete
from gateway.core.http.own_cookies import strip_own_cookies

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110 §5.6.2."""
_NEVER_PROXIED = frozenset({b"CONNECT", b"TRACE"})
"""What the door refuses as well: neither is a request for an application."""
_URL = re.compile(rb"https?://([^/]*)(/.*)", re.DOTALL)
SECRET = b"x-gateway-secret"
"""In which a proxy says what only it and the gateway know."""
_LOOKED_AT = frozenset(
    {SECRET, b"x-original-method", b"x-original-url", b"upgrade", b"sec-websocket-key"}
    | {b"x-forwarded-method", b"x-forwarded-host", b"x-forwarded-uri", b"method", b"path"}
)
_LENGTHS = frozenset(map(len, _LOOKED_AT))
_Fields = Mapping[bytes, Sequence[bytes]]
"""The headers looked at, by their lower-case names."""


class AskingProxy(NamedTuple):
    """A proxy that may ask.

    :ivar kind: ``caller`` in the configuration. :ivar networks: where it asks from, none of them another's.
    :ivar rules: which hosts it may ask about, and whose word about clients is believed.
    :ivar login: what people without a session are answered, 401 or 302.
    :ivar secret: what it has to send in `SECRET`; empty: nothing. :ivar grpc: it asks over gRPC, and not over HTTP.
    :ivar renews: the cookies of a pass go on to the browser.
    """

    kind: str
    networks: Networks
    rules: DoorRules
    login: int = 401
    secret: bytes = b""
    grpc: bool = False
    renews: bool = False


class Question(NamedTuple):
    """What a proxy has sent us.

    :ivar target: below the path that answers questions: empty, or what follows it. :ivar headers: in the order of the
        wire. :ivar facts: what they say. Host apart it holds for the request that is asked about, because all that the
        client sent comes along; framing is no fact.
    :ivar peer: address of the connection.
    """

    method: str
    target: str
    headers: RawHeaders
    facts: HeaderFacts
    peer: str


class _Original(NamedTuple):
    method: bytes
    authority: bytes
    target: bytes


def at_address(peer: str, callers: Iterable[AskingProxy]) -> AskingProxy | None:
    """Whose that address is; loopback is nobody's unless it is listed."""
    return next((caller for caller in callers if is_trusted(peer, caller.networks)), None)


def caller_at(peer: str, callers: Iterable[AskingProxy], *, grpc: bool) -> AskingProxy:
    """Who asks from that address.

    :param grpc: it asks over gRPC.
    :raises DownstreamError: ``untrusted_caller``.
    """
    caller = at_address(peer, callers)
    if caller is None:
        raise DownstreamError("untrusted_caller", "address")
    if caller.grpc is not grpc:
        raise DownstreamError("untrusted_caller", "other_protocol")
    return caller


def original_facts(caller: AskingProxy, question: Question) -> RequestFacts:
    """The facts of the request that is asked about; its client is `UNKNOWN` where the question names none.

    :param caller: who asks, by `caller_at`.
    :raises DownstreamError: ``untrusted_caller``, ``original_missing``, ``original_ambiguous``,
        ``original_malformed``, or what :func:`gateway.core.http.facts.complete` raises. None of them may become a pass.
    """
    fields, client, rules = _fields_of(question.headers), question.facts, caller.rules
    if caller.secret:
        _check_secret(fields.get(SECRET, ()), caller.secret)
    original = _DIALECTS[caller.kind](fields, question)
    if _METHOD.fullmatch(original.method) is None or original.method in _NEVER_PROXIED:
        raise DownstreamError("original_malformed", "method")
    about = HeaderFacts(
        authority=original.authority.decode("latin-1").lower(),
        forwarded=client.forwarded,
        # Upgrade is hop-by-hop, so a proxy drops it from the question; a handshake must not pass for a GET (rule R8).
        websocket=client.websocket or (b"sec-websocket-key" in fields and b"upgrade" not in fields),
        asks=client.asks,
        rest=client.rest,
    )
    target = original.target.decode("latin-1")
    facts = complete(original.method.decode("ascii"), target, about, question.peer, rules)
    # A proxy asks for somebody else: where it does not say for whom, its own address must not open what is its own.
    return facts if client.forwarded else facts._replace(client=UNKNOWN)


def _check_secret(sent: Sequence[bytes], secret: bytes) -> None:
    if len(sent) != 1:
        raise DownstreamError("untrusted_caller", "secret_repeated" if sent else "secret_missing")
    if not compare_digest(sent[0], secret):
        raise DownstreamError("untrusted_caller", "wrong_secret")


def _fields_of(headers: RawHeaders) -> _Fields:
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if len(name) in _LENGTHS and (lower := name.lower()) in _LOOKED_AT:
            fields.setdefault(lower, []).append(value)
    return fields


def _nginx(fields: _Fields, _: Question) -> _Original:
    """``X-Original-Method`` and ``X-Original-URL``, as the recipe and ingress-nginx send them (protocol facts D.2).

    nginx refuses a Host with a slash in it, so the first slash after the scheme begins the target.
    """
    url = _URL.fullmatch(_only(fields, b"x-original-url"))
    if url is None:
        raise DownstreamError("original_malformed", "url")
    # The scheme is not a fact: behind a load balancer nginx sees http where the browser says https.
    return _Original(_only(fields, b"x-original-method"), *url.groups())


def _forwarded(fields: _Fields, _: Question) -> _Original:
    """``X-Forwarded-Method``, ``-Host`` and ``-Uri``, as Traefik's forwardAuth, Caddy's forward_auth, APISIX's
    forward-auth and the recipe for HAProxy write them over whatever the client has sent (protocol facts D.3 and D.5).
    """
    return _Original(
        _only(fields, b"x-forwarded-method"),
        _only(fields, b"x-forwarded-host"),
        _only(fields, b"x-forwarded-uri"),
    )


def _envoy(_: _Fields, question: Question) -> _Original:
    """The question's own method and Host, and what follows our path in its own target: Envoy's ``path_prefix`` stands
    before the target that the client asked for (protocol facts D.4).
    """
    if not question.target:
        raise DownstreamError("original_missing", "path")
    authority = question.facts.authority.encode("latin-1")
    return _Original(question.method.encode("ascii"), authority, question.target.encode("latin-1"))


def _fabric(fields: _Fields, question: Question) -> _Original:
    """``Method``, ``Path`` and the question's own Host, as NGINX Gateway Fabric sends them: for that it takes what
    GEP-1494 calls by these names. The client's own headers are not in its question, unless they are listed.
    """
    authority = question.facts.authority.encode("latin-1")
    return _Original(_only(fields, b"method"), authority, _only(fields, b"path"))


_DIALECTS: Mapping[str, Callable[[_Fields, Question], _Original]] = {
    "nginx": _nginx,
    "traefik": _forwarded,
    "caddy": _forwarded,
    "envoy": _envoy,
    "haproxy": _forwarded,
    "apisix": _forwarded,
    "nginx-gateway-fabric": _fabric,
}
RELAYING = frozenset({"traefik", "caddy", "envoy", "haproxy", "apisix"})
"""Callers that hand our refusal on to the browser as it is."""
TAKING_COOKIES = frozenset({"traefik", "envoy", "apisix", "nginx-gateway-fabric"})
"""Callers that cannot take our cookies out themselves everywhere, but write headers of our pass over the client's."""


def cookies_for_application(sent: Sequence[bytes]) -> bytes:
    """The client's Cookie headers as the application may see them, in one; empty where they are the gateway's alone."""
    return b"; ".join(filter(None, map(strip_own_cookies, sent)))


def _only(fields: _Fields, name: bytes) -> bytes:
    found = fields.get(name, ())
    if not found:
        raise DownstreamError("original_missing", name.decode())
    if len(found) > 1:
        raise DownstreamError("original_ambiguous", name.decode())
    return found[0]
