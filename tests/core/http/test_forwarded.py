"""From a proxy's question to the facts of the request it asks about (rule R7; CVE tables 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules, RequestFacts, build, read_headers
from gateway.core.http.forwarded import RELAYING, AskingProxy, Question, caller_at, original_facts

PROXY, CLIENT = "10.0.0.7", "192.0.2.1"
HOSTS = frozenset({"app.example.com", "other.example.com:8443"})
RULES = DoorRules("https", HOSTS, (ip_network("10.0.0.0/8"),))
METHOD, URL = (b"X-Original-Method", b"GET"), (b"X-Original-URL", b"https://app.example.com/a%20b?x=/y")


Header = tuple[bytes, bytes]


def asked(
    *headers: Header, caller: str = "nginx", line: tuple[str, str] = ("GET", ""), peer: str = PROXY, rules: DoorRules = RULES,
    secret: bytes = b"",
) -> RequestFacts:  # fmt: skip
    """:param line: method of the question, and what follows our path in its target."""
    asking = caller_at(peer, [AskingProxy(caller, rules.trusted_proxies, rules, secret=secret)], grpc=False)
    return original_facts(asking, Question(*line, headers, read_headers(headers), peer))


def refusal(*headers: Header, **more: Any) -> str:
    with pytest.raises(DownstreamError) as refused:
        asked(*headers, **more)
    return refused.value.code


def question(caller: str, method: str, host: str, target: str) -> tuple[tuple[str, str], list[Header]]:
    """How each caller asks about a request."""
    said = (method.encode(), host.encode(), target.encode("latin-1"))
    ours = (b"Host", b"gateway.internal")
    if caller == "nginx":
        url = b"http://" + said[1] + said[2]
        return ("GET", ""), [ours, (b"X-Original-Method", said[0]), (b"X-Original-URL", url)]
    if caller == "nginx-gateway-fabric":
        return ("GET", ""), [(b"Host", said[1]), (b"Method", said[0]), (b"Path", said[2])]
    if caller == "envoy":
        return (method, target), [(b"Host", said[1])]
    names = (b"X-Forwarded-Method", b"X-Forwarded-Host", b"X-Forwarded-Uri")
    return ("GET", ""), [ours, *zip(names, said, strict=True)]


CALLERS = ["nginx", "nginx-gateway-fabric", *sorted(RELAYING)]


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
_noise = {
    "nginx": [b"X-Original-URI", b"X-Forwarded-Uri", b"X-Forwarded-Host", b"X-Forwarded-Method", b"X-Forwarded-Proto"],
    "traefik": [b"X-Original-URI", b"X-Original-URL", b"X-Original-Method", b"X_Forwarded_Uri", b"X-Forwarded-Proto"],
    "caddy": [b"X-Original-URI", b"X-Original-URL", b"X-Original-Method", b"X-Forwarded.Host", b"X-Forwarded-Port"],
    "apisix": [b"X-Original-URL", b"Method", b"Path", b"X-Forwarded-Proto"],
    "nginx-gateway-fabric": [b"X-Original-URL", b"X-Original-Method", b"X-Forwarded-Uri", b"X-Forwarded-Host", b":path"],
    "haproxy": [b"X-Original-URL", b"X-Original-Method", b"X-Real-IP", b"X-Forwarded-Proto"],
    "envoy": [b"X-Original-URL", b"X-Original-Method", b"X-Forwarded-Uri", b"X-Forwarded-Host", b"X-Forwarded-Method"],
}  # fmt: skip
"""What is nobody's word for this caller."""
_said = st.sampled_from([b"/public", b"evil.test", b"DELETE", b"http"])

Outcome = RequestFacts | str


def outcome(build_it: Callable[[], RequestFacts]) -> Outcome:
    try:
        return build_it()
    except DownstreamError as error:
        return error.code


@pytest.mark.parametrize("caller", CALLERS)
@settings(max_examples=200, deadline=None)
@given(_methods, _targets, _hosts, _headers, st.booleans(), st.data())
def test_facts_are_those_of_the_door(caller, method, target, host, headers, handshake, data) -> None:
    """The same request, asked about and seen at the door, has the same facts or is refused for the same reason."""
    noise = data.draw(st.lists(st.tuples(st.sampled_from(_noise[caller]), _said), max_size=4))
    own = list(headers)
    if handshake:
        own.append((b"Sec-WebSocket-Key", b"x"))
    upgrade = [(b"Upgrade", b"websocket")] if handshake else []
    seen = outcome(
        lambda: build(method, target, [(b"Host", host.encode()), *own, *upgrade, *noise], CLIENT, RULES)
    )
    line, asking = question(caller, method, host, target)
    about = [*asking, (b"X-Forwarded-For", CLIENT.encode()), *own, *noise]
    asked_about = outcome(lambda: asked(*about, caller=caller, line=line))
    if not target.startswith("/"):
        assert isinstance(asked_about, str)
        assert isinstance(seen, str)
    else:
        assert asked_about == seen


@pytest.mark.parametrize("caller", ["traefik", "caddy", "haproxy", "apisix"])
@pytest.mark.parametrize("name", [b"X-Forwarded-Method", b"X-Forwarded-Host", b"X-Forwarded-Uri"])
def test_r07_each_of_the_three_comes_once(caller: str, name: bytes) -> None:
    """Without it nothing stands in, and of two nobody knows which the proxy goes by."""
    line, asking = question(caller, "GET", "app.example.com", "/a")
    assert asked(*asking, caller=caller, line=line).raw_target == "/a"
    without = [header for header in asking if header[0] != name]
    stand_in = [(name.replace(b"-", b"_"), b"/a"), (b"X-Original-URL", b"https://app.example.com/a")]
    assert refusal(*without, *stand_in, caller=caller) == "original_missing"
    twice = [header for header in asking if header[0] == name]
    assert refusal(*asking, *twice, caller=caller) == "original_ambiguous"


@pytest.mark.parametrize("name", [b"Method", b"Path"])
def test_r07_nginx_gateway_fabric_says_each_once(name: bytes) -> None:
    """And under which host, in the question's own."""
    caller = "nginx-gateway-fabric"
    _, asking = question(caller, "PUT", "app.example.com", "/a?b=c")
    assert asked(*asking, caller=caller).raw_target == "/a?b=c"
    assert asked(*asking, caller=caller).method == "PUT"
    without = [header for header in asking if header[0] != name]
    twice = [header for header in asking if header[0] == name]
    assert refusal(*without, (b"X-Forwarded-Uri", b"/a"), caller=caller) == "original_missing"
    assert refusal(*asking, *twice, caller=caller) == "original_ambiguous"
    other = [header for header in asking if header[0] != b"Host"]
    assert refusal((b"Host", b"evil.example"), *other, caller=caller) == "unknown_host"


def test_r07_envoys_question_has_the_target_below_ours() -> None:
    """A question at our own path itself is about nothing."""
    host = (b"Host", b"app.example.com")
    assert asked(host, caller="envoy", line=("PUT", "/a?b=c")).raw_target == "/a?b=c"
    assert refusal(host, caller="envoy") == "original_missing"
    assert refusal(host, caller="envoy", line=("GET", "?a")) == "ambiguous_target"
    assert refusal((b"Host", b"evil.example"), caller="envoy", line=("GET", "/a")) == "unknown_host"


@pytest.mark.parametrize("caller", CALLERS)
def test_r07_nobody_else_may_ask(caller: str) -> None:
    """Whatever the dialect."""
    line, asking = question(caller, "GET", "app.example.com", "/a")
    assert refusal(*asking, caller=caller, line=line, peer="192.0.2.9") == "untrusted_caller"
