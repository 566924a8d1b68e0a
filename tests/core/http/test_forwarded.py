"""From a proxy's question to the facts of the request it asks about (rule R7; CVE tables 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules, RequestFacts, build, read_headers
from gateway.core.http.forwarded import original_facts

PROXY, CLIENT = "10.0.0.7", "192.0.2.1"
HOSTS = frozenset({"app.example.com", "other.example.com:8443"})
RULES = DoorRules("https", HOSTS, (ip_network("10.0.0.0/8"),))
METHOD, URL = (b"X-Original-Method", b"GET"), (b"X-Original-URL", b"https://app.example.com/a%20b?x=/y")


def asked(*headers: tuple[bytes, bytes], peer: str = PROXY, rules: DoorRules = RULES) -> RequestFacts:
    return original_facts("nginx", headers, read_headers(headers), peer, rules)


def refusal(*headers: tuple[bytes, bytes], peer: str = PROXY, rules: DoorRules = RULES) -> str:
    with pytest.raises(DownstreamError) as refused:
        asked(*headers, peer=peer, rules=rules)
    return refused.value.code


def test_method_host_and_target_come_from_the_two_headers() -> None:
    """The question's own Host and framing do not count; the client's other headers do."""
    facts = asked(
        (b"Host", b"gateway.internal"), (b"Transfer-Encoding", b"chunked"),
        METHOD, URL, (b"Sec-Fetch-Mode", b"navigate"), (b"Cookie", b"a=b"),
        (b"X-Forwarded-For", b"203.0.113.9, 192.0.2.1"),
    )  # fmt: skip
    assert (facts.method, facts.host, facts.raw_target) == ("GET", "app.example.com", "/a%20b?x=/y")
    assert (facts.path, facts.query, facts.client) == ("/a b", "x=/y", "192.0.2.1")
    assert (facts.mode, facts.cookies) == ("navigate", (b"a=b",))


@pytest.mark.parametrize(
    ("peer", "networks"),
    [
        ("192.0.2.9", ("10.0.0.0/8",)), ("127.0.0.1", ("10.0.0.0/8",)), ("::1", ("10.0.0.0/8",)), ("127.0.0.1", ()),
        ("", ("0.0.0.0/0",)), ("/run/nginx.sock", ("0.0.0.0/0",)),
    ],
)  # fmt: skip
def test_r07_only_trusted_proxies_may_ask(peer: str, networks: tuple[str, ...]) -> None:
    """CVE-2026-40575: loopback is no exception, and who has no address is nobody."""
    rules = DoorRules("https", HOSTS, tuple(ip_network(network) for network in networks))
    assert refusal(METHOD, URL, peer=peer, rules=rules) == "untrusted_caller"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ((), "original_missing"), ((METHOD,), "original_missing"), ((URL,), "original_missing"),
        ((METHOD, METHOD, URL), "original_ambiguous"), ((METHOD, URL, URL), "original_ambiguous"),
        ((METHOD, URL, (b"x-original-url", b"https://app.example.com/public")), "original_ambiguous"),
        ((METHOD, (b"X_Original_URL", URL[1])), "original_missing"),
        ((METHOD, (b"X-Original-URI", b"/a"), (b"X-Forwarded-Uri", b"/a")), "original_missing"),
    ],
)  # fmt: skip
def test_r07_one_source_per_fact(headers: tuple[tuple[bytes, bytes], ...], code: str) -> None:
    """Missing or twice is a refusal; another header never stands in."""
    assert refusal(*headers) == code


@pytest.mark.parametrize(
    "url",
    [
        b"", b"/a", b"//app.example.com/a", b"app.example.com/a", b"ftp://app.example.com/a", b"https:/app.example.com/a",
        b"HTTPS://app.example.com/a", b"https://app.example.com", b"https://app.example.com*", b"https://app.example.com?a/b",
    ],
)  # fmt: skip
def test_cve_2021_32637_a_url_that_cannot_be_read_is_refused(url: bytes) -> None:
    """What is no URL of http with a path is not guessed at."""
    assert refusal(METHOD, (b"X-Original-URL", url)) in {"original_malformed", "unknown_host"}


@pytest.mark.parametrize(
    "method", [b"", b"GET ", b"G\xe9T", b"GET,POST", b"GET\t", b"CONNECT", b"TRACE", b"(GET)"]
)
def test_a_method_that_is_none_is_refused(method: bytes) -> None:
    """Only tokens are methods, and CONNECT and TRACE are not for applications."""
    assert refusal((b"X-Original-Method", method), URL) == "original_malformed"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example", b"", b"app.example.com.", b"app.example.com:80", b"app.example.com@evil.example",
        b"evil.example@app.example.com", b"app.example.com\\", b"app.example.com, evil.example", b" app.example.com",
    ],
)  # fmt: skip
def test_cve_2026_48794_an_unknown_host_is_refused(host: bytes) -> None:
    """The host is compared as at the door; parts of it do not count."""
    assert refusal(METHOD, (b"X-Original-URL", b"https://" + host + b"/a")) == "unknown_host"


@pytest.mark.parametrize(
    "target", ["/a/../b", "//a", "/a#b", "/a%2", "/%00", "/a\\b", "/..;/a", "/a b", "/\xe9"]
)
def test_r32_an_ambiguous_target_is_refused(target: str) -> None:
    """The same targets as at the door."""
    url = b"https://app.example.com" + target.encode("latin-1")
    assert refusal(METHOD, (b"X-Original-URL", url)) == "ambiguous_target"


def test_cve_2021_32777_a_client_header_that_came_twice_is_refused() -> None:
    """As at the door."""
    assert refusal(METHOD, URL, (b"Origin", b"a"), (b"origin", b"b")) == "ambiguous_header"


def test_r08_a_handshake_does_not_pass_for_a_get() -> None:
    """Proxies drop Upgrade from the question; the key of RFC 6455 gives the handshake away."""
    assert asked(METHOD, URL, (b"Sec-WebSocket-Key", b"x")).websocket
    assert asked(METHOD, URL, (b"Upgrade", b"WebSocket")).websocket
    assert not asked(METHOD, URL).websocket


_segment = st.text("abz019-_~%2F.;:@é /\\", max_size=6)
_targets = st.one_of(
    st.sampled_from(["/", "/a", "/api/x?y=z", "/a%20b?rd=https://evil.test/", "/a?", "/x%2Fy", "*", "", "/a%C3%A9"]),
    st.lists(_segment, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.text(st.characters(max_codepoint=255), max_size=20).map(lambda text: "/" + text),
)  # fmt: skip
_hosts = st.sampled_from(["app.example.com", "APP.example.com:443", "other.example.com:8443", "evil.test"])
_methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "get", "X-Y"])
_headers = st.lists(
    st.one_of(
        st.tuples(st.just(b"Sec-Fetch-Site"), st.sampled_from([b"same-origin", b"cross-site", b"none"])),
        st.tuples(st.just(b"sec-fetch-mode"), st.sampled_from([b"navigate", b"cors", b"websocket"])),
        st.tuples(st.just(b"Sec-Fetch-Dest"), st.sampled_from([b"document", b"iframe", b"empty"])),
        st.tuples(st.just(b"Sec-Purpose"), st.just(b"prefetch")),
        st.tuples(st.just(b"Origin"), st.sampled_from([b"https://app.example.com", b"null", b"https://evil.test"])),
        st.tuples(st.just(b"Accept"), st.sampled_from([b"text/html", b"*/*", b"application/json"])),
        st.tuples(st.sampled_from([b"Cookie", b"cookie"]), st.binary(max_size=20)),
        st.tuples(st.just(b"X-Auth-Passive"), st.sampled_from([b"1", b"0"])),
        st.tuples(st.just(b"Access-Control-Request-Method"), st.just(b"PUT")),
        st.tuples(st.just(b"Service-Worker"), st.just(b"script")),
        st.tuples(st.sampled_from([b"X-Auth-Request-User", b"X-Real-IP", b"Forwarded"]), st.binary(max_size=9)),
    ),
    max_size=8,
)  # fmt: skip
_noise = st.lists(
    st.tuples(
        st.sampled_from([b"X-Original-URI", b"X-Forwarded-Uri", b"X-Forwarded-Host", b"X-Forwarded-Method", b"X-Forwarded-Proto"]),
        st.sampled_from([b"/public", b"evil.test", b"DELETE", b"http"]),
    ),
    max_size=4,
)  # fmt: skip

Outcome = RequestFacts | str


def outcome(build_it: Callable[[], RequestFacts]) -> Outcome:
    try:
        return build_it()
    except DownstreamError as error:
        return error.code


@settings(max_examples=400, deadline=None)
@given(_methods, _targets, _hosts, _headers, _noise, st.booleans())
def test_facts_are_those_of_the_door(method, target, host, headers, noise, handshake) -> None:
    """The same request, asked about and seen at the door, has the same facts or is refused for the same reason."""
    own = list(headers)
    if handshake:
        own.append((b"Sec-WebSocket-Key", b"x"))
    upgrade = [(b"Upgrade", b"websocket")] if handshake else []
    seen = outcome(
        lambda: build(method, target, [(b"Host", host.encode()), *own, *upgrade, *noise], CLIENT, RULES)
    )
    question = [
        (b"Host", b"gateway.internal"),
        (b"X-Original-Method", method.encode()),
        (b"X-Original-URL", b"http://" + host.encode() + target.encode("latin-1")),
        (b"X-Forwarded-For", CLIENT.encode()),
        *own,
        *noise,
    ]
    asked_about = outcome(lambda: asked(*question))
    if not target.startswith("/"):
        assert isinstance(asked_about, str)
        assert isinstance(seen, str)
    else:
        assert asked_about == seen
