"""Redirects of an upstream under another path or host come back as the browser needs them, and others not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.response_headers import downstream_response_headers, plain_response_head
from gateway.core.http.routes import upstream_target
from gateway.core.http.way_back import WayBack

HOSTS = frozenset({b"app.example.com"})
STRIPPED = WayBack(b"/api", b"", b"10.0.0.5:8000", HOSTS)
BASED = WayBack(b"", b"/wiki", b"10.0.0.5:8000", HOSTS)
BOTH = WayBack(b"/api", b"/v1", b"10.0.0.5:8000", HOSTS)
OWN = WayBack(b"", b"", b"internal.example:8443", HOSTS)
CASES = [
    (STRIPPED, "/login?next=/x#top", "/api/login?next=/x#top"),
    (STRIPPED, "/", "/api/"),
    (STRIPPED, "/api/login", "/api/login"),
    (STRIPPED, "/api", "/api"),
    (STRIPPED, "/api?x", "/api?x"),
    (STRIPPED, "/apis", "/api/apis"),
    (STRIPPED, "login", "login"),
    (STRIPPED, "../x", "../x"),
    (STRIPPED, "?page=2", "?page=2"),
    (STRIPPED, "", ""),
    (STRIPPED, "http://10.0.0.5:8000/login", "/api/login"),
    (STRIPPED, "HTTP://10.0.0.5:8000", "/api/"),
    (STRIPPED, "http://10.0.0.5:8000?x", "http://10.0.0.5:8000?x"),
    (STRIPPED, "https://app.example.com/login", "https://app.example.com/api/login"),
    (STRIPPED, "http://App.Example.com/api/login", "http://App.Example.com/api/login"),
    (STRIPPED, "https://app.example.com", "https://app.example.com/api/"),
    (STRIPPED, "//app.example.com/login", "//app.example.com/api/login"),
    (STRIPPED, "https://elsewhere.example/login", "https://elsewhere.example/login"),
    (STRIPPED, "//elsewhere.example/login", "//elsewhere.example/login"),
    (STRIPPED, "https://app.example.com@evil.example/", "https://app.example.com@evil.example/"),
    (STRIPPED, "https://app.example.com.evil.example/", "https://app.example.com.evil.example/"),
    (STRIPPED, "https://app.example.com\\@evil.example/", "https://app.example.com\\@evil.example/"),
    (STRIPPED, "/\\evil.example/", "/\\evil.example/"),
    (STRIPPED, "///evil.example/", "///evil.example/"),
    (STRIPPED, "mailto:a@b.example", "mailto:a@b.example"),
    (STRIPPED, "myapp://callback/x", "myapp://callback/x"),
    (BASED, "/wiki/Start", "/Start"),
    (BASED, "/wiki", "/"),
    (BASED, "/wiki?x", "/?x"),
    (BASED, "/wikis", "/wikis"),
    (BASED, "/wiki//evil.example/", "/wiki//evil.example/"),
    (BASED, "/wiki/\\evil.example/", "/wiki/\\evil.example/"),
    (BASED, "http://10.0.0.5:8000/wiki//evil.example/", "http://10.0.0.5:8000/wiki//evil.example/"),
    (BOTH, "/v1//evil.example/", "/api//evil.example/"),
    (BASED, "/elsewhere", "/elsewhere"),
    (BASED, "http://10.0.0.5:8000/wiki/Start", "/Start"),
    (BASED, "http://10.0.0.5:8000/other", "http://10.0.0.5:8000/other"),
    (BOTH, "/v1/items/7", "/api/items/7"),
    (BOTH, "/api/items/7", "/api/items/7"),
    (OWN, "https://internal.example:8443/x?y", "/x?y"),
    (OWN, "https://app.example.com/x", "https://app.example.com/x"),
    (OWN, "/x", "/x"),
]  # fmt: skip


@pytest.mark.parametrize(("way", "sent", "received"), CASES)
def test_a_redirect_of_the_upstream_comes_back_under_its_path(way: WayBack, sent: str, received: str) -> None:
    """Its own addresses are undone, what leads elsewhere is not touched, and nothing becomes another host's."""
    assert way.location(sent.encode()) == received.encode()


@given(st.text("/aw?#b.", max_size=12).map(lambda text: "/" + text.lstrip("/")))
def test_the_way_back_undoes_the_way_there(target: str) -> None:
    """What the upstream was asked for leads, as a redirect, to what the browser had asked for."""
    if "#" in target:
        return
    there = upstream_target("/api" + target, base="/v1", segments=1)
    assert BOTH.location(there.encode()) == b"/api" + target.encode()


@given(
    st.sampled_from([b"", b"wiki", b"v1", b"api", b"/10.0.0.5:8000/wiki"]),
    st.binary(max_size=30) | st.sampled_from([b"//evil", b"/\\evil"]),
)
def test_no_redirect_becomes_one_to_another_host(first: bytes, rest: bytes) -> None:
    """A path stays a path: it never begins with two slashes that it had not."""
    for way in (STRIPPED, BASED, BOTH, OWN):
        back = way.location(b"/" + first + rest)
        assert not back.startswith((b"//", b"/\\")) or back == b"/" + first + rest


@pytest.mark.parametrize("name", [b"Location", b"content-location"])
def test_both_readers_of_heads_take_the_way_back(name: bytes) -> None:
    """The quick one, which knows heads by their bytes, and the other: the same head of two upstreams is two answers."""
    fields = [(name, b"/login"), (b"Content-Length", b"0")]
    head = b"HTTP/1.1 302 Found\r\n" + b"\r\n".join(b"%b: %b" % field for field in fields)
    for way, received in ((None, b"/login"), (STRIPPED, b"/api/login"), (None, b"/login")):
        slow = downstream_response_headers(302, b"Found", fields, way=way)
        quick = plain_response_head(head, keep_alive=True, document=False, way=way)
        assert quick is not None
        assert name + b": " + received + b"\r\n" in slow.raw
        assert slow.raw == quick[1].raw
