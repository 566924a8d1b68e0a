"""What an upstream is asked for that has paths and a host of its own."""

from __future__ import annotations

import pytest

from gateway.core.http.routes import Route
from tests.fakes.door import Door
from tests.fakes.upstream import FakeUpstream, always, reply


@pytest.mark.parametrize(
    ("options", "asked", "line"),
    [
        ({}, "/api/x?y", b"GET /api/x?y HTTP/1.1"),
        ({"strip_prefix": True}, "/api/x?y=/api/", b"GET /x?y=/api/ HTTP/1.1"),
        ({"strip_prefix": True}, "/%61p%69/a%2520b", b"GET /a%2520b HTTP/1.1"),
        ({"strip_prefix": True}, "/api/", b"GET / HTTP/1.1"),
        ({"base": "/v2"}, "/api/x", b"GET /v2/api/x HTTP/1.1"),
        ({"base": "/v2/", "strip_prefix": True}, "/api/x/", b"GET /v2/x/ HTTP/1.1"),
    ],
)
async def test_an_upstream_has_its_own_paths(options, asked, line):
    """A path in its URL, and one that ends where its own begin; in whatever spelling the prefix came."""
    options = dict(options)
    upstream = await FakeUpstream(always(reply(b"x"))).start()
    base = options.pop("base", "")
    door = await Door(Route("/api/", upstream.url + base, **options)).start()
    client = await door.client()
    assert (await client.get(asked, "X-Forwarded-Prefix: /evil")).status == 200
    (call,) = upstream.calls
    assert call.request_line == line
    assert call.values(b"x-forwarded-prefix") == ([b"/api"] if options else [])
    await client.close()
    await door.close()
    await upstream.close()


async def test_an_upstream_that_knows_its_own_name_alone():
    """It is asked for by the host of its URL, and told the browser's; HTTP/1.0 without a host too."""
    upstream = await FakeUpstream(always(reply(b"x"))).start()
    door = await Door(Route("/", upstream.url, own_host=True)).start()
    client = await door.client()
    await client.get("/x")
    assert upstream.calls[0].values(b"host") == [upstream.url.removeprefix("http://").encode()]
    assert upstream.calls[0].values(b"x-forwarded-host") == [b"app.test"]
    await client.close()
    await door.close()
    await upstream.close()


@pytest.mark.parametrize(
    ("base", "options", "sent", "received"),
    [
        ("", {"strip_prefix": True}, b"/login", b"/api/login"),
        ("/v2", {"strip_prefix": True}, b"/v2/login", b"/api/login"),
        ("/v2", {}, b"/v2/api/login", b"/api/login"),
        ("", {"strip_prefix": True}, b"https://app.test/login", b"https://app.test/api/login"),
        ("", {"strip_prefix": True}, b"https://elsewhere.test/login", b"https://elsewhere.test/login"),
        ("", {}, b"/login", b"/login"),
    ],
)
async def test_a_redirect_of_an_upstream_with_its_own_paths_comes_back(base, options, sent, received):
    """Under the prefix that the browser knows; the application's cookies keep their paths."""
    cookie = b"Set-Cookie: a=b; Path=/here"
    upstream = await FakeUpstream(always(reply(b"x", b"Location: " + sent, cookie))).start()
    route = Route("/api/", upstream.url + base, hosts=frozenset({"app.test"}), **options)
    door = await Door(route).start()
    client = await door.client()
    answer = await client.get("/api/x")
    assert answer.value(b"location") == received
    assert answer.value(b"set-cookie") == b"a=b; Path=/here"
    await client.close()
    await door.close()
    await upstream.close()
