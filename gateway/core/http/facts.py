"""What a request says, read once and in one place for every mode (design section 2).

Security-relevant headers may come once only: where two of them are seen, a filter and a backend could each believe
another one (CVE-2021-32777), so the request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import CLIENT_HEADERS, ForwardedHeaders, Networks, client_address
from gateway.core.http.target import decode_path, split_target

RawHeaders = Sequence[tuple[bytes, bytes]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 §9.2.1, without TRACE, which the door refuses."""

_SINGLE = frozenset(
    {
        b"host", b"origin", b"content-length", b"transfer-encoding", b"sec-fetch-site", b"sec-fetch-mode",
        b"sec-fetch-dest", b"sec-purpose", b"purpose", b"upgrade", b"x-auth-passive", b"access-control-request-method",
    }
)  # fmt: skip
READ = frozenset((*_SINGLE, *CLIENT_HEADERS, b"accept", b"cookie", b"x-forwarded-proto", b"service-worker"))
"""Lower-case names of the headers that are read: those of the client belong into a proxy's question about it."""


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What the door accepts.

    :ivar scheme: of ``public_url``. :ivar authorities: accepted Host values, lower-case, default port left out.
    :ivar trusted_proxies: who is believed about its client. :ivar client_header: in which header, lower-case.
    :ivar questions: path of the proxies' questions (forward-auth), whose own Host may be whatever the proxy calls us;
        empty: nobody asks.
    """

    scheme: str
    authorities: frozenset[str]
    trusted_proxies: Networks = ()
    client_header: bytes = b"x-forwarded-for"
    questions: str = ""


_Rest: TypeAlias = (
    "tuple[str | None, str | None, str | None, str | None, str, bool, bool, bool, tuple[bytes, ...]]"
)


class HeaderFacts(NamedTuple):
    """What the headers say, whatever the method and the target are.

    :ivar authority: Host, lower-case. :ivar forwarded: what proxies say of the client.
    :ivar asks: it may be a preflight.
    :ivar rest: the fields of :class:`RequestFacts` from ``site`` on.
    :ivar plain: X-Forwarded-Proto says that the browser asked without TLS; the first of several is nearest to it.
    """

    authority: str
    forwarded: ForwardedHeaders
    websocket: bool
    asks: bool
    rest: _Rest
    plain: bool = False


class RequestFacts(NamedTuple):
    """Everything that is decided on; the raw request is only forwarded.

    A tuple, because one is made for every request.

    :ivar path: percent-decoded once. :ivar raw_path: as it came, up to the ``?``. :ivar query: raw, None without ``?``.
    :ivar site, mode, dest: Sec-Fetch-*; None when absent (older browsers, other clients).
    """

    method: str
    host: str
    scheme: str
    raw_target: str
    raw_path: str
    query: str | None
    path: str
    client: str
    websocket: bool = False
    preflight: bool = False
    site: str | None = None
    mode: str | None = None
    dest: str | None = None
    origin: str | None = None
    accept: str = ""
    prefetch: bool = False
    passive: bool = False
    worker_script: bool = False
    cookies: tuple[bytes, ...] = ()

    @property
    def navigation(self) -> bool:
        """A person is going somewhere in a tab of their own (pain P9): by Sec-Fetch first, by Accept where absent."""
        if self.method not in {"GET", "HEAD"} or self.prefetch or self.websocket:
            return False
        if self.mode is not None:
            return self.mode == "navigate" and self.dest in {None, "document"}
        return self.wants_page

    @property
    def in_no_tab(self) -> bool:
        """A browser says that no person goes there in a tab: it looks ahead, or asks for a part (rule R35)."""
        return self.prefetch or (self.mode is not None and not self.navigation)

    @property
    def posted(self) -> bool:
        """A person sends a form in a tab of their own; it cannot be repeated after a sign-in (pain P22)."""
        return self.method not in {"GET", "HEAD"} and self.wants_page and self.dest in {None, "document"}

    @property
    def wants_page(self) -> bool:
        """Whether an answer of our own is better a page than a problem document."""
        return is_person(self.mode, self.accept)

    @property
    def document(self) -> bool:
        """Whether the answer becomes, or may become, a document in a browser."""
        return self.dest in {"document", "iframe", "frame", "embed", "object"} or self.navigation

    @property
    def safe(self) -> bool:
        return self.method in SAFE_METHODS


def is_person(mode: str | None, accept: str) -> bool:
    """Whether somebody will look at the answer.

    :param mode: Sec-Fetch-Mode, None when absent; only then Accept decides.
    """
    return mode == "navigate" if mode is not None else prefers_html(accept)


def prefers_html(accept: str) -> bool:
    """Whether an Accept header asks for HTML before JSON; ``*/*`` alone does not (a bare ``fetch()`` sends it)."""
    html, json = accept.find("text/html"), accept.find("application/json")
    return html >= 0 and (json < 0 or html < json)


def build(method: str, raw_target: str, headers: RawHeaders, peer: str, rules: DoorRules) -> RequestFacts:
    """The facts of one request.

    :param headers: in the order of the wire. :param peer: the address of the connection.
    :raises DownstreamError: ``ambiguous_target``, ``ambiguous_header`` (400), ``unknown_host`` (421).
    """
    return complete(method, raw_target, read_headers(headers), peer, rules)


def complete(
    method: str, raw_target: str, header_facts: HeaderFacts, peer: str, rules: DoorRules
) -> RequestFacts:
    """The same, where the headers are read already."""
    raw_path, query = split_target(raw_target)
    path = decode_path(raw_path, encoded_slashes=True)
    forwarded = header_facts.forwarded
    return RequestFacts(
        method,
        _host(header_facts.authority, path, rules),
        rules.scheme,
        raw_target,
        raw_path,
        query,
        path,
        client_address(peer, forwarded, rules.trusted_proxies, rules.client_header) if forwarded else peer,
        header_facts.websocket and method == "GET",
        header_facts.asks and method == "OPTIONS",
        *header_facts.rest,
    )


def read_headers(headers: RawHeaders) -> HeaderFacts:
    """What the headers say.

    :raises DownstreamError: ``ambiguous_header``.
    """
    found, cookies, forwarded = _collect(headers)
    get = found.get
    origin = get(b"origin")
    rest = (
        get(b"sec-fetch-site"),
        get(b"sec-fetch-mode"),
        get(b"sec-fetch-dest"),
        origin,
        get(b"accept") or "",
        "prefetch" in (get(b"sec-purpose") or get(b"purpose") or ""),
        get(b"x-auth-passive") == "1",
        get(b"service-worker") == "script",
        cookies,
    )
    return HeaderFacts(
        authority=get(b"host", "").lower(),
        forwarded=forwarded,
        websocket=get(b"upgrade", "").lower() == "websocket",
        asks=origin is not None and b"access-control-request-method" in found,
        rest=rest,
        plain=get(b"x-forwarded-proto", "").partition(",")[0].strip().lower() == "http",
    )


def _collect(headers: RawHeaders) -> tuple[Mapping[bytes, str], tuple[bytes, ...], ForwardedHeaders]:
    found: dict[bytes, str] = {}
    cookies: list[bytes] = []
    forwarded: list[tuple[bytes, bytes]] = []
    for raw_name, value in headers:
        name = raw_name.lower()
        if name not in READ:
            continue
        if name == b"cookie":
            cookies.append(value)
        elif name in CLIENT_HEADERS:
            forwarded.append((name, value))
        elif name in found and name in _SINGLE:
            raise DownstreamError("ambiguous_header", "repeated", name=name.decode())
        elif name != b"x-forwarded-proto" or name not in found:
            found[name] = value.decode("latin-1")
    if b"content-length" in found and b"transfer-encoding" in found:
        raise DownstreamError("ambiguous_header", "two_framings")
    return found, tuple(cookies), tuple(forwarded)


def _host(authority: str, path: str, rules: DoorRules) -> str:
    default = ":443" if rules.scheme == "https" else ":80"
    authority = authority.removesuffix(default)
    if authority not in rules.authorities:
        if rules.questions and (path == rules.questions or path.startswith(f"{rules.questions}/")):
            return ""  # Traefik asks under the address of the question, and it cannot be told another Host
        raise DownstreamError("unknown_host")
    return authority
