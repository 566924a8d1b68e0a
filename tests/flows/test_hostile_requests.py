"""Requests that no browser sends, as bytes: none is let through, none is repeated (rule R37, CVE table 4.2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.demo import configuration
from tests.corpus.read import lines
from tests.fakes.browser import Browser
from tests.fakes.upstream import FakeUpstream, always, reply
from tests.flows.conftest import Stand, standing
from tests.flows.raw import exchange, request, until_closed

pytestmark = pytest.mark.asyncio(loop_scope="module")
MARK = "zzz-echoed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stand, FakeUpstream]]:
    """A gateway whose whole application is a server that remembers every byte it got."""
    upstream = await FakeUpstream(always(reply(b"application"))).start()
    replaced = {f"file://{configuration.SPA}": upstream.url, "builtin:groups": "builtin:spa"}
    async with standing(tmp_path_factory.mktemp("hostile"), replaced=replaced) as stand:
        yield stand, upstream
    await upstream.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cookie(behind: tuple[Stand, FakeUpstream]) -> str:
    """The Cookie header of somebody signed in."""
    stand, _ = behind
    browser: Browser = stand.browser()
    page = await stand.sign_in(browser, "/")
    assert page.text == "application"
    return f"Cookie: {browser.cookie_header(stand.app)}"


HOSTILE = {
    "length and chunked": ("POST /x HTTP/1.1", ["Content-Length: 4", "Transfer-Encoding: chunked"]),
    "chunked and length": ("POST /x HTTP/1.1", ["Transfer-Encoding: chunked", "Content-Length: 4"]),
    "two lengths": ("POST /x HTTP/1.1", ["Content-Length: 0", "Content-Length: 5"]),
    "two equal lengths": ("POST /x HTTP/1.1", ["Content-Length: 0", "Content-Length: 0"]),
    "length list": ("POST /x HTTP/1.1", ["Content-Length: 0, 5"]),
    "signed length": ("POST /x HTTP/1.1", ["Content-Length: +5"]),
    "negative length": ("POST /x HTTP/1.1", ["Content-Length: -1"]),
    "hex length": ("POST /x HTTP/1.1", ["Content-Length: 0x5"]),
    "obscured coding": ("POST /x HTTP/1.1", ["Transfer-Encoding: xchunked"]),
    "coding before colon": ("POST /x HTTP/1.1", ["Transfer-Encoding : chunked"]),
    "two codings": ("POST /x HTTP/1.1", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]),
    "coding list": ("POST /x HTTP/1.1", ["Transfer-Encoding: identity, chunked, identity"]),
    "folded header": ("GET /x HTTP/1.1", [f"X-A: {MARK}\r\n folded"]),
    "folded first": ("GET /x HTTP/1.1", [" X-A: b"]),
    "bare line feed in value": ("GET /x HTTP/1.1", [f"X-A: {MARK}\nX-B: c"]),
    "bare return in value": ("GET /x HTTP/1.1", [f"X-A: {MARK}\rX-B: c"]),
    "nul in value": ("GET /x HTTP/1.1", [f"X-A: {MARK}\x00"]),
    "no colon": ("GET /x HTTP/1.1", [MARK]),
    "empty name": ("GET /x HTTP/1.1", [f": {MARK}"]),
    "space in name": ("GET /x HTTP/1.1", [f"X {MARK}: a"]),
    "two hosts": ("GET /x HTTP/1.1", ["Host: evil.example"]),
    "two origins": ("GET /x HTTP/1.1", ["Origin: http://a", "Origin: http://b"]),
    "two sites": ("POST /x HTTP/1.1", ["Sec-Fetch-Site: same-origin", "sec-fetch-site: cross-site"]),
    "asterisk": ("OPTIONS * HTTP/1.1", []),
    "asterisk get": ("GET * HTTP/1.1", []),
    "absolute form": ("GET http://evil.example/x HTTP/1.1", []),
    "absolute form of ours": ("GET http://app.localhost/x HTTP/1.1", []),
    "absolute logout": ("POST http://evil.example/logout HTTP/1.1", []),
    "authority form": ("GET evil.example:80 HTTP/1.1", []),
    "no slash": ("GET x HTTP/1.1", []),
    "empty target": ("GET  HTTP/1.1", []),
    "fragment": ("GET /x#y HTTP/1.1", []),
    "fragment in query": ("GET /x?y#z HTTP/1.1", []),
    "space in target": (f"GET /x {MARK} HTTP/1.1", []),
    "raw bytes in target": ("GET /\xe9 HTTP/1.1", []),
    "two slashes": ("GET //x HTTP/1.1", []),
    "backslash": ("GET /\\evil.example HTTP/1.1", []),
    "lower-case method": ("get /x HTTP/1.1", []),
    "no method": (" /x HTTP/1.1", []),
    "odd method": (f"G{MARK}=T /x HTTP/1.1", []),
    "trace": ("TRACE /x HTTP/1.1", []),
    "connect": ("CONNECT evil.example:443 HTTP/1.1", []),
    "connect to a path": ("CONNECT /x HTTP/1.1", []),
    "http 2 preface": ("PRI * HTTP/2.0", []),
    "http 0.9": ("GET /x", []),
    "http 3": ("GET /x HTTP/3.0", []),
    "lower-case version": ("GET /x http/1.1", []),
    "long line": ("GET /" + "a" * 40_000 + " HTTP/1.1", []),
    "long header": ("GET /x HTTP/1.1", ["X-A: " + "a" * 40_000]),
    "many headers": ("GET /x HTTP/1.1", [f"X-{at}: a" for at in range(200)]),
}


@pytest.mark.parametrize(("line", "headers"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_r37_a_hostile_request_is_refused_and_not_repeated(
    behind: tuple[Stand, FakeUpstream], cookie: str, line: str, headers: list[str]
) -> None:
    """4xx even with a session; nothing reaches the application, nothing of the request is in the answer."""
    stand, upstream = behind
    before = len(upstream.calls)
    (answer,) = await exchange(stand, request(stand, line, cookie, *headers))
    assert 400 <= answer.status < 500 or answer.status == 505
    assert len(upstream.calls) == before
    assert MARK.encode() not in answer.raw + answer.body
    assert b"evil" not in answer.raw + answer.body
    assert answer.value(b"server") == b"gateway"
    assert (answer.value(b"content-type") or b"").startswith((b"text/html", b"application/problem+json"))


@pytest.mark.parametrize("target", [t for t in lines("ambiguous_targets.txt") if re.fullmatch(r"[!-~]+", t)])
async def test_r32_an_ambiguous_target_reaches_nobody(
    behind: tuple[Stand, FakeUpstream], cookie: str, target: str
) -> None:
    """The corpus over the wire, by somebody signed in (CVE-2025-66490, CVE-2026-33494)."""
    stand, upstream = behind
    before = len(upstream.calls)
    (answer,) = await exchange(stand, request(stand, f"GET {target} HTTP/1.1", cookie))
    assert answer.status == 400
    assert len(upstream.calls) == before


@pytest.mark.parametrize(
    "target",
    [
        "/a%20b?c=%2F..%2F&d=//e",
        "/%C3%A9",
        "/a;v=1?x;y",
        "/a%252Fb",
        "/%2e%2ex",
        "/a|b",
        "/a?%zz",
        "/a??b",
        "/a%25",
    ],
)
async def test_r32_the_bytes_decided_on_are_the_bytes_forwarded(
    behind: tuple[Stand, FakeUpstream], cookie: str, target: str
) -> None:
    """An unambiguous target reaches the application byte for byte."""
    stand, upstream = behind
    (answer,) = await exchange(stand, request(stand, f"GET {target} HTTP/1.1", cookie))
    assert answer.status == 200
    assert upstream.calls[-1].request_line == f"GET {target} HTTP/1.1".encode()


async def test_smuggled_bytes_are_no_second_request(behind: tuple[Stand, FakeUpstream], cookie: str) -> None:
    """After a request whose framing is lost the connection closes; what stood behind it is never read."""
    stand, upstream = behind
    before = len(upstream.calls)
    inner = request(stand, "GET /smuggled HTTP/1.1", cookie)
    for line, *headers in (
        ("POST /x HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked"),
        ("CONNECT evil.example:443 HTTP/1.1",),
        ("GET /x HTTP/1.1", "X-A: b\r\n folded"),
    ):
        got = await until_closed(stand, request(stand, line, cookie, *headers, body=b"0\r\n\r\n" + inner))
        assert len(re.findall(rb"HTTP/1\.[01] \d\d\d ", got)) == 1
    assert len(upstream.calls) == before


NOT_ENTERED = {
    "query looks public": ("/secret?x=/logged-out", []),
    "probe agent": ("/x", ["User-Agent: kube-probe/1.29"]),
    "event stream": ("/x", ["Accept: text/event-stream"]),
    "original url": ("/x", ["X-Original-URL: /logged-out", "X-Rewrite-URL: /logged-out"]),
    "forwarded uri": ("/x", ["X-Forwarded-Uri: /logged-out", "X-Forwarded-Method: GET", "X-Forwarded-Host: x"]),
    "bearer": ("/x", ["Authorization: Bearer eyJhbGciOiJub25lIn0.e30."]),
    "basic": ("/x", ["Authorization: Basic YWRtaW46YWRtaW4="]),
    "identity": ("/x", ["X-Auth-Request-User: admin", "X_Auth_Request_User: admin", "X-Forwarded-User: admin"]),
    "loopback": ("/x", ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]),
    "override": ("/x", ["X-HTTP-Method-Override: OPTIONS"]),
    "preflight without origin": ("/x", ["Access-Control-Request-Method: GET"]),
    "random cookie": ("/x", ["Cookie: __Host-session=" + "A" * 400]),
    "empty cookie": ("/x", ["Cookie: __Host-session="]),
    "pieces": ("/x", ["Cookie: __Host-session_1=AAAA; __Host-session_2=AAAA"]),
    "million pieces": ("/x", ["Cookie: __Host-session_1000000=A; __Host-session=99999"]),
    "bytes": ("/x", ["Cookie: __Host-session=\x80\xff\xfe"]),
    "quoted": ("/x", ['Cookie: __Host-session="A"; $Version=1']),
    "malformed": ("/x", ["Cookie: ;;;=;__Host-session;=__Host-session=;"]),
    "many": ("/x", ["Cookie: " + "; ".join(f"__Host-session={at}" for at in range(400))]),
    "upgrade": ("/x", ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]),
    "expect": ("/x", ["Expect: 100-continue"]),
}  # fmt: skip


@pytest.mark.parametrize(("target", "headers"), NOT_ENTERED.values(), ids=NOT_ENTERED.keys())
async def test_cve_2025_54576_nothing_but_a_session_opens(
    behind: tuple[Stand, FakeUpstream], target: str, headers: list[str]
) -> None:
    """No query, header or broken cookie is a way in; all answers to bad cookies are the same (CVE-2026-47775)."""
    stand, upstream = behind
    before = len(upstream.calls)
    (answer,) = await exchange(stand, request(stand, f"GET {target} HTTP/1.1", *headers))
    (plain,) = await exchange(stand, request(stand, "GET /x HTTP/1.1"))
    assert answer.status == plain.status == 401
    assert answer.body == plain.body
    assert len(upstream.calls) == before


async def test_cve_2025_31492_a_refusal_holds_nothing_of_the_application(
    behind: tuple[Stand, FakeUpstream],
) -> None:
    """Whoever is not signed in gets our page and not a byte more."""
    stand, _ = behind
    got = await until_closed(stand, request(stand, "GET / HTTP/1.1", "Connection: close"))
    assert b"application\r" not in got
    assert got.count(b"HTTP/1.1 ") == 1
    assert got.startswith(b"HTTP/1.1 401 ")


async def test_own_cookies_never_reach_the_upstream(behind: tuple[Stand, FakeUpstream], cookie: str) -> None:
    """Guarantee 5: the application sees its own cookies and none of ours, nor a client's identity headers."""
    stand, upstream = behind
    (answer,) = await exchange(
        stand,
        request(stand, "GET /x HTTP/1.1", f"{cookie}; theirs=1", "Cookie: __Host-login_0123abcd=x; more=2",
                "X-Auth-Request-User: mallory", "X_Auth_Request_Email: m@x", "Connection: X-Auth-Request-User"),
    )  # fmt: skip
    assert answer.status == 200
    head = upstream.calls[-1].head
    assert b"__Host-" not in head
    assert b"theirs=1" in head
    assert b"more=2" in head
    assert b"mallory" not in head
    assert b"m@x" not in head
    assert upstream.calls[-1].values(b"x-auth-request-user") == [b"alice@example.com"]


async def test_a_body_beyond_the_limit_is_413(tmp_path: Path) -> None:
    """``limits.body`` is held by the announced length, before anything is sent on."""
    async with standing(tmp_path, extra="limits: {body: 10}\n") as stand:
        (answer,) = await exchange(
            stand, request(stand, "POST /x HTTP/1.1", "Content-Length: 11", body=b"a" * 11)
        )
        assert answer.status == 413
        (answer,) = await exchange(
            stand, request(stand, "POST /x HTTP/1.1", "Content-Length: 10", body=b"a" * 10)
        )
        assert answer.status == 401
