"""Questions that are none, in every dialect: without a fact, with two of one, or with one that can be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules, RequestFacts, read_headers
from gateway.core.http.forwarded import AskingProxy, Question, caller_at, original_facts

PROXY, HOST = "10.0.0.7", "app.example.com"
NETWORKS = (ip_network("10.0.0.0/8"),)
RULES = DoorRules("https", frozenset({HOST}), NETWORKS)
SECRET = b"0123456789abcdef"
CLIENT = (b"X-Forwarded-For", b"192.0.2.1")
Header = tuple[bytes, bytes]


class Asked(NamedTuple):
    """A question as it comes: its own method, what follows our path in its target, and its headers."""

    method: str
    below: str
    headers: tuple[Header, ...]


class Dialect(NamedTuple):
    """:ivar facts: the headers that say what is asked about. :ivar said: the facts of a question that is none other's."""

    facts: tuple[bytes, ...]
    sound: Asked
    said: Callable[[Asked], tuple[bytes, bytes, bytes]]


def value(asked: Asked, name: bytes) -> bytes:
    (found,) = [value for key, value in asked.headers if key.lower() == name]
    return found


def _url(asked: Asked) -> tuple[bytes, bytes, bytes]:
    found = re.fullmatch(rb"(?s)https?://([^/]*)(/.*)", value(asked, b"x-original-url"))
    assert found is not None
    return value(asked, b"x-original-method"), found[1], found[2]


def _three(asked: Asked) -> tuple[bytes, bytes, bytes]:
    return (
        value(asked, b"x-forwarded-method"),
        value(asked, b"x-forwarded-host"),
        value(asked, b"x-forwarded-uri"),
    )


def _own(asked: Asked) -> tuple[bytes, bytes, bytes]:
    return asked.method.encode(), value(asked, b"host"), asked.below.encode("latin-1")


_INSIDE = (b"Host", b"gateway.internal")
_THREE = Asked("GET", "", (_INSIDE, CLIENT, (b"X-Forwarded-Method", b"PUT"), (b"X-Forwarded-Host", HOST.encode()), (b"X-Forwarded-Uri", b"/a?b=c")))  # fmt: skip
_NAMES = (b"x-forwarded-method", b"x-forwarded-host", b"x-forwarded-uri")
DIALECTS: Mapping[str, Dialect] = {
    "nginx": Dialect(
        (b"x-original-method", b"x-original-url"),
        Asked("GET", "", (_INSIDE, CLIENT, (b"X-Original-Method", b"PUT"), (b"X-Original-URL", f"https://{HOST}/a?b=c".encode()))),
        _url,
    ),
    "traefik": Dialect(_NAMES, _THREE, _three),
    "caddy": Dialect(_NAMES, _THREE, _three),
    "haproxy": Dialect(_NAMES, _THREE, _three),
    "apisix": Dialect(_NAMES, _THREE, _three),
    "nginx-gateway-fabric": Dialect(
        (b"method", b"path"),
        Asked("GET", "", ((b"Host", HOST.encode()), CLIENT, (b"Method", b"PUT"), (b"Path", b"/a?b=c"))),
        lambda asked: (value(asked, b"method"), value(asked, b"host"), value(asked, b"path")),
    ),
    "envoy": Dialect((), Asked("PUT", "/a?b=c", ((b"Host", HOST.encode()), CLIENT)), _own),
}  # fmt: skip
by_header = [(caller, name) for caller, dialect in DIALECTS.items() for name in dialect.facts]


def facts_of(caller: str, asked: Asked, *, peer: str = PROXY, secret: bytes = b"") -> RequestFacts:
    asking = caller_at(peer, [AskingProxy(caller, NETWORKS, RULES, secret=secret)], grpc=False)
    question = Question(asked.method, asked.below, asked.headers, read_headers(asked.headers), peer)
    return original_facts(asking, question)


def refusal(caller: str, asked: Asked, **more: str | bytes) -> str:
    with pytest.raises(DownstreamError) as refused:
        facts_of(caller, asked, **more)  # type: ignore[arg-type]  # each has its own
    return refused.value.code


def with_fact(caller: str, name: bytes, said: bytes) -> Asked:
    sound = DIALECTS[caller].sound
    return sound._replace(
        headers=tuple((key, said if key.lower() == name else old) for key, old in sound.headers)
    )


def about(caller: str, *, method: str = "PUT", host: str = HOST, target: str = "/a") -> Asked:
    """The question about another request."""
    if caller == "envoy":
        return Asked(method, target, ((b"Host", host.encode("latin-1")), CLIENT))
    if caller == "nginx":
        url = f"https://{host}{target}".encode("latin-1")
        return with_fact(caller, b"x-original-url", url)._replace(
            headers=(_INSIDE, (b"X-Original-Method", method.encode("latin-1")), (b"X-Original-URL", url))
        )
    said = (method.encode("latin-1"), host.encode("latin-1"), target.encode("latin-1"))
    if caller == "nginx-gateway-fabric":
        return Asked("GET", "", ((b"Host", said[1]), CLIENT, (b"Method", said[0]), (b"Path", said[2])))
    return Asked("GET", "", (_INSIDE, CLIENT, *zip(_NAMES, said, strict=True)))


@pytest.mark.parametrize("caller", DIALECTS)
def test_a_sound_question_is_about_what_it_says(caller: str) -> None:
    """What the others are held against."""
    facts = facts_of(caller, DIALECTS[caller].sound)
    assert (facts.method, facts.host, facts.raw_target, facts.client) == ("PUT", HOST, "/a?b=c", "192.0.2.1")


@pytest.mark.parametrize(("caller", "name"), by_header)
def test_r07_a_question_without_a_fact_is_none(caller: str, name: bytes) -> None:
    """Nothing stands in for it: no other spelling, no other dialect, not the question itself."""
    sound = DIALECTS[caller].sound
    without = [header for header in sound.headers if header[0].lower() != name]
    elsewhere = [
        (b"X-Original-URI", b"/a"), (b"_" + name, b"/a"), (name + b"s", b"/a"), (b"Forwarded", b"host=app.example.com"),
        *((name.replace(b"-", b"_"), b"/a") for _ in range(b"-" in name)),
        *(h for other in DIALECTS.values() for h in other.sound.headers if h[0].lower() not in {*DIALECTS[caller].facts, b"host", b"x-forwarded-for"}),
    ]  # fmt: skip
    for headers in (without, [*without, *elsewhere]):
        assert refusal(caller, sound._replace(headers=tuple(headers), below="/a")) == "original_missing"


@pytest.mark.parametrize(("caller", "name"), by_header)
@pytest.mark.parametrize("other", [None, b"", b"/public", b"GET"])
def test_r07_a_fact_that_comes_twice_is_none(caller: str, name: bytes, other: bytes | None) -> None:
    """Whatever the second one says, in whatever case and place."""
    sound = DIALECTS[caller].sound
    again = (name.upper(), value(sound, name) if other is None else other)
    for headers in ((*sound.headers, again), (again, *sound.headers)):
        assert refusal(caller, sound._replace(headers=headers)) == "original_ambiguous"


@pytest.mark.parametrize("caller", DIALECTS)
@pytest.mark.parametrize(
    "method", ["", "GET, POST", "GET POST", "GET\t", "(GET)", "CONNECT", "TRACE", "G\xe9T", "GET/1"]
)
def test_a_method_that_can_be_read_in_two_ways_is_none(caller: str, method: str) -> None:
    """A list, a word of another kind, or what is for no application."""
    if caller == "envoy" and not method.isascii():
        return  # no such method gets past the door, which reads the question's own
    assert refusal(caller, about(caller, method=method)) == "original_malformed"


@pytest.mark.parametrize("caller", DIALECTS)
@pytest.mark.parametrize(
    "host",
    [
        "", "evil.test", f"{HOST}, evil.test", f"evil.test, {HOST}", f"{HOST}.", f"{HOST}:80", f"{HOST}:443:443", f"user@{HOST}",
        f"{HOST}@evil.test", f"{HOST}?", f"{HOST}#", f"{HOST}\\", f" {HOST}", f"{HOST} evil.test", f"[{HOST}]", "app%2Eexample.com",
    ],
)  # fmt: skip
def test_a_host_that_can_be_read_in_two_ways_is_none(caller: str, host: str) -> None:
    """It is ours, letter for letter, or nobody's."""
    assert refusal(caller, about(caller, host=host)) == "unknown_host"


@pytest.mark.parametrize("caller", DIALECTS)
@pytest.mark.parametrize(
    "target",
    [
        "//evil.test/a", "/a/../b", "/a/..;/b", "/%2e%2e/b", "/a/%2e/b", "/a//b", "/a\\b", "/a%5cb", "/a%00", "/a%0a", "/a b",
        "/a#b", "/a%2", "/a%zz", "/a%ff", "/a;%2Fb", "/\xe9",
    ],
)  # fmt: skip
def test_a_target_that_can_be_read_in_two_ways_is_none(caller: str, target: str) -> None:
    """As at the door (rule R32)."""
    assert refusal(caller, about(caller, target=target)) == "ambiguous_target"


@pytest.mark.parametrize("caller", ["traefik", "caddy", "haproxy", "envoy"])
@pytest.mark.parametrize(
    "target", ["", "*", "a", "http://evil.test/a", f"https://{HOST}/a", "?a", " /a", "/a, /b c"]
)
def test_a_target_in_another_form_is_none(caller: str, target: str) -> None:
    """No whole address, no star, no list."""
    assert refusal(caller, about(caller, target=target)) in {"ambiguous_target", "original_missing"}


@pytest.mark.parametrize("url", ["", "/a", f"//{HOST}/a", f"{HOST}/a", f"ftp://{HOST}/a", f"https:/{HOST}/a", f"https://{HOST}", f"x https://{HOST}/a", f"https://{HOST}/a, https://{HOST}/b c"])  # fmt: skip
def test_an_address_that_nginx_would_not_write_is_none(url: str) -> None:
    """It names scheme, host and target, each once."""
    asked = with_fact("nginx", b"x-original-url", url.encode())
    assert refusal("nginx", asked) in {"original_malformed", "ambiguous_target"}


@pytest.mark.parametrize("caller", DIALECTS)
@pytest.mark.parametrize("peer", ["192.0.2.9", "127.0.0.1", "::1", "11.0.0.7", "::ffff:192.0.2.9", "", "unknown", "10.0.0.7x"])  # fmt: skip
def test_r07_a_question_from_elsewhere_is_none(caller: str, peer: str) -> None:
    """Whatever it says, and whoever it says to have come for."""
    sound = DIALECTS[caller].sound
    asked = sound._replace(
        headers=(*sound.headers, (b"X-Real-IP", PROXY.encode()), (b"X-Forwarded-For", PROXY.encode()))
    )
    assert refusal(caller, asked, peer=peer) == "untrusted_caller"


@pytest.mark.parametrize("caller", DIALECTS)
def test_r07_a_question_that_names_no_client_is_not_about_its_proxy(caller: str) -> None:
    """Nor about whom a header names that does not count; a network of proxies may be let in where nobody else is."""
    sound = DIALECTS[caller].sound
    assert facts_of(caller, sound).client == "192.0.2.1"
    nameless = sound._replace(headers=tuple(header for header in sound.headers if header != CLIENT))
    for others in (
        (),
        ((b"X-Real-IP", b"10.0.0.8"),),
        ((b"X-Forwarded-For", b""),),
        ((b"Forwarded", b"for=10.0.0.8"),),
    ):
        assert facts_of(caller, nameless._replace(headers=(*nameless.headers, *others))).client == "unknown"
    # Somebody on a trusted network who asks through the proxy is named by it.
    near = (*nameless.headers, (b"X-Forwarded-For", b"10.0.0.8"))
    assert facts_of(caller, nameless._replace(headers=near)).client == "10.0.0.8"


@pytest.mark.parametrize("caller", DIALECTS)
def test_an_ipv4_proxy_at_a_listener_for_both_families_is_itself(caller: str) -> None:
    """The kernel writes its address so."""
    assert facts_of(caller, DIALECTS[caller].sound, peer=f"::ffff:{PROXY}").raw_target == "/a?b=c"


@pytest.mark.parametrize("caller", DIALECTS)
def test_r07_the_secret_comes_once_and_whole(caller: str) -> None:
    """In each dialect; before anything else of the question is read."""
    sound, name = DIALECTS[caller].sound, b"X-Gateway-Secret"
    good = sound._replace(headers=(*sound.headers, (name, SECRET)))
    assert facts_of(caller, good, secret=SECRET).host == HOST
    bad = [(), ((name, b""),), ((name, SECRET[:-1]),), ((name, SECRET + b"x"),), ((name, SECRET.upper()),), ((b"X_Gateway_Secret", SECRET),),
           ((name, SECRET), (name.lower(), SECRET)), ((name, SECRET + b", " + SECRET),), ((name, b"\xff" * 16),)]  # fmt: skip
    for headers in bad:
        for asked in (sound._replace(headers=(*sound.headers, *headers)), Asked("GET", "", headers)):
            assert refusal(caller, asked, secret=SECRET) == "untrusted_caller"


_CODES = {
    "untrusted_caller", "original_missing", "original_ambiguous", "original_malformed", "unknown_host", "ambiguous_target",
    "encoded_slash", "ambiguous_header",
}  # fmt: skip
_words = st.sampled_from(
    [
        b"",
        b"GET",
        b"post",
        b"/a",
        b"/a/../b",
        b"//x",
        HOST.encode(),
        b"APP.example.com:443",
        b"evil.test",
        b"*",
        SECRET,
        b"https://app.example.com/x",
        b"http://app.example.com",
        b"https://evil.test/a",
        b"a, b",
        b"\xff\x00",
        b"192.0.2.1",
    ]
)
_names = st.sampled_from(
    [
        *_NAMES,
        b"method",
        b"path",
        b"x-original-method",
        b"x-original-url",
        b"x-gateway-secret",
        b"host",
        b"upgrade",
        b"sec-websocket-key",
        b"x-forwarded-for",
        b"x_forwarded_uri",
        b"forwarded",
        b"x-original-uri",
        b"origin",
        b"content-length",
        b"cookie",
    ]
)
_spelled = st.tuples(_names, st.sampled_from([bytes.lower, bytes.upper, bytes.title])).map(
    lambda pair: pair[1](pair[0])
)
_more = st.lists(st.tuples(_spelled, st.one_of(_words, st.binary(max_size=12))), max_size=4)
_lines = st.tuples(
    st.sampled_from(["GET", "HEAD", "PUT", "TRACE", "get", "X-Y"]),
    st.one_of(st.sampled_from(["", "/", "/a?b=c", "/%2e%2e/x", "a", "?x"]), st.text(st.characters(max_codepoint=255), max_size=8)),
)  # fmt: skip


@pytest.mark.parametrize("caller", DIALECTS)
@given(
    _lines,
    st.lists(st.integers(0, 7), max_size=2),
    _more,
    st.permutations(range(12)),
    st.sampled_from([b"", SECRET]),
)
def test_r07_whatever_comes_is_read_in_one_way_or_refused(caller, line, dropped, more, order, secret) -> None:
    """A sound question with headers taken out, added and moved: each fact is the only one there, or nothing passes."""
    sound = DIALECTS[caller].sound
    headers = [header for at, header in enumerate(sound.headers) if at not in dropped] + more
    headers = [headers[at] for at in order if at < len(headers)]
    method, below = line if caller == "envoy" else sound[:2]
    asked = Asked(method, below, tuple(headers))
    try:
        facts = facts_of(caller, asked, secret=secret)
    except DownstreamError as error:
        assert error.code in _CODES
        return
    method, host, target = DIALECTS[caller].said(asked)
    assert facts.method.encode() == method
    assert facts.host.encode() == host.lower().removesuffix(b":443") == HOST.encode()
    assert facts.raw_target.encode("latin-1") == target
    assert target.startswith(b"/")
    if secret:
        assert value(asked, b"x-gateway-secret") == secret
