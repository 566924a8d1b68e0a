"""The request head as it goes to the upstream (design section 7, rules R31, R32 and R36).

Order matters: hop-by-hop headers go first (with whatever Connection names), then every spelling of a header that only
the gateway may set, then the gateway's own cookies; what the gateway says comes last. All else passes byte for byte,
in its order and spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gateway.core.errors import DownstreamError
from gateway.core.http.foreign_identity import BEGINNINGS, NAMES, one_spelling
from gateway.core.http.header_names import HOP_BY_HOP, NameKinds, connection_options, nominated
from gateway.core.http.own_cookies import strip_own_cookies
from gateway.core.memo import Memo

RawHeaders = Sequence[tuple[bytes, bytes]]

_PASS, _DROP, _COOKIE, _CONNECTION, _HOST, _TRANSFER = range(6)

_RESERVED_PREFIXES = (b"x-auth-request-", b"x-forwarded-", b"x-original-")
_RESERVED = frozenset({b"forwarded", b"x-real-ip", b"x-rewrite-url", b"proxy"})
"""Names only a gateway may set; ``Proxy`` becomes HTTP_PROXY in CGI (CVE-2016-5385)."""
_METHOD_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
_NOT_FORWARDED = HOP_BY_HOP | {b"trailer", b"expect"}
"""Request trailers are dropped and ``Expect`` is answered by the gateway."""
_ONE_READING = _NOT_FORWARDED | {b"content-length", b"content-type", b"transfer-encoding", b"accept-encoding"}
"""What decides where a request ends, or how it is read: under no other spelling."""
_OF_A_PROXY = _NOT_FORWARDED | {b"x-forwarded-for", b"x-forwarded-proto"}
_NEVER_NOMINATED = frozenset({b"host", b"content-length", b"transfer-encoding"})


class RequestRules:
    """What passes to the upstream of one route.

    :param own: lower-case names of headers that no client may send, besides the usual ones; with a ``*`` behind it all
        names that begin so.
    :param allow_method_override: let X-HTTP-Method-Override and its like pass.
    :param underscores: let names with an underscore pass that are no other spelling of one that does not.
    :param host: of the upstream, in the place of the client's. :param prefix: what is taken from the front of paths.
    :param dropped: told of a name that does not pass where a client may expect it to, once or more often.
    """

    __slots__ = ("_begin", "_dropped", "_override", "_reserved", "_underscores", "host", "kinds", "prefix")

    def __init__(
        self,
        own: Iterable[bytes] = (),
        *,
        allow_method_override: bool = False,
        underscores: bool = True,
        host: bytes = b"",
        prefix: bytes = b"",
        dropped: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        names = {each: one_spelling(each.removesuffix(b"*")) for each in own}
        self._reserved = _RESERVED | {one for each, one in names.items() if not each.endswith(b"*")}
        self._begin = tuple(one for each, one in names.items() if each.endswith(b"*"))
        self._override = allow_method_override
        self._underscores = underscores
        self._dropped = dropped
        self.host = host
        self.prefix = prefix
        self.kinds = NameKinds(self._classify)

    def from_no_client(self, name: bytes) -> bool:
        """Whether a header of this name is taken out of requests, whoever hands them on; what a proxy in front writes
        itself, and what is between it and its client, is not asked about.
        """
        return self.kinds[name] == _DROP and name.lower() not in _OF_A_PROXY

    def _classify(self, name: bytes) -> int:
        if name == b"cookie":
            return _COOKIE
        if name == b"connection":
            return _CONNECTION
        if name == b"host":
            return _HOST
        if name == b"transfer-encoding":
            return _TRANSFER
        one = one_spelling(name)
        if name in _NOT_FORWARDED or (name == one and self._is_ours(one)):
            return _DROP
        foreign = one in NAMES or one.startswith((*BEGINNINGS, *self._begin))
        spelled = name != one and (one in _ONE_READING or self._is_ours(one))
        if foreign or spelled or (b"_" in name and not self._underscores):
            self._dropped(name)
            return _DROP
        return _PASS

    def _is_ours(self, one: bytes) -> bool:
        if one in self._reserved or one.startswith(_RESERVED_PREFIXES):
            return True
        return one in _METHOD_OVERRIDES and not self._override


def wants_websocket(headers: RawHeaders) -> bool:
    """Whether the request asks to be upgraded to WebSocket, and to nothing else (RFC 6455 §4.1)."""
    upgrades = [value for name, value in headers if name.lower() == b"upgrade"]
    options = [connection_options(value) for name, value in headers if name.lower() == b"connection"]
    return (
        len(upgrades) == 1
        and upgrades[0].strip(b" \t").lower() == b"websocket"
        and any(b"upgrade" in each for each in options)
    )


def _written_forwarded(asked: tuple[str, str, bytes]) -> bytes:
    client, scheme, host = asked
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n" % (
        client.encode("ascii", "replace"),
        scheme.encode("ascii"),
        host,
    )


_forwarded = Memo(
    _written_forwarded,
    entries=4_096,
    size=4 * 1024 * 1024,
    weigh=lambda asked, made: 320 + 2 * len(asked[0]) + 4 * len(asked[2]) + len(made),
)


def upstream_request_head(
    rules: RequestRules,
    method: bytes,
    target: bytes,
    headers: RawHeaders,
    *,
    client: str,
    scheme: str,
    host: bytes,
    identity: RawHeaders = (),
    websocket: bool = False,
) -> bytes:
    """The head to send, up to and with its empty line.

    :param target: the raw request target; it is not touched (rule R32).
    :param headers: as they came. :param client: client address. :param scheme: of ``public_url``.
    :param host: stands in when the client, speaking HTTP/1.0, sent no Host.
    :param identity: injected last. :param websocket: put the upgrade back that hop-by-hop removal took.
    :raises DownstreamError: ``ambiguous_header`` for a transfer coding other than ``chunked``.
    """
    passed, named = _passed[rules, tuple(headers)]
    if named is None:
        passed += b"Host: %b\r\n" % (rules.host or host)
        named = host
    if websocket:
        passed += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n" % (
        method, target, passed, _forwarded[client, scheme, named], _lines[tuple(identity)],
    )  # fmt: skip


def _pass(asked: tuple[RequestRules, RawHeaders]) -> tuple[bytes, bytes | None]:
    """The lines of the client's that pass, and its Host."""
    rules, headers = asked
    kinds = rules.kinds
    connections = [value for name, value in headers if kinds[name] == _CONNECTION]
    if any(nominated(value, _NEVER_NOMINATED) for value in connections):
        headers = _without_nominated(headers, kinds)
    lines: list[tuple[bytes, bytes]] = []
    named: bytes | None = None
    chunked = False
    for name, value in headers:
        kind = kinds[name]
        if kind == _PASS:
            lines.append((name, value))
        elif kind == _COOKIE:
            kept = strip_own_cookies(value)
            if kept:
                lines.append((name, kept))
        elif kind == _HOST:
            named = value
            lines.append((name, rules.host or value))
        elif kind == _TRANSFER:
            chunked = _only_chunked(value)
    if chunked:
        lines.append((b"Transfer-Encoding", b"chunked"))
    if rules.prefix:
        lines.append((b"X-Forwarded-Prefix", rules.prefix))
    return _joined(lines), named


def _weight_passed(asked: tuple[RequestRules, RawHeaders], made: tuple[bytes, bytes | None]) -> int:
    # A pair of short ones is two objects and a tuple; the bytes are there once more in what was made.
    return (
        400 + 208 * len(asked[1]) + sum([len(name) + len(value) for name, value in asked[1]]) + len(made[0])
    )


_passed = Memo(_pass, entries=1_024, size=12 * 1024 * 1024, weigh=_weight_passed)
"""Clients repeat themselves."""


def _joined(headers: RawHeaders) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


_lines = Memo(_joined, entries=1_024, size=8 * 1024 * 1024)
"""A session's identity is the same with every request."""


def _without_nominated(headers: RawHeaders, kinds: NameKinds) -> RawHeaders:
    """The headers left when Connection, and all that any Connection header names, is gone."""
    connections = [value for name, value in headers if kinds[name] == _CONNECTION]
    gone = frozenset().union(*(nominated(value, _NEVER_NOMINATED) for value in connections))
    return [
        (name, value) for name, value in headers if kinds[name] != _CONNECTION and name.lower() not in gone
    ]


def _only_chunked(value: bytes) -> bool:
    if value.strip(b" \t").lower() != b"chunked":
        raise DownstreamError("ambiguous_header", "coding")
    return True
