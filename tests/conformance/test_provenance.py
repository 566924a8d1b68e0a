"""Who said it: no client header passes for the gateway's, and no shape of a request opens what is closed.

One test for each family of advisories about other gateways; the requests are restated, the names say which.
"""

from __future__ import annotations

import pytest

from tests.conformance.recorder import Call
from tests.conformance.strict import Message
from tests.conformance.wire import Door

ALICE = [b"alice@example.com"]


def _forwarded(door: Door, *headers: str, target: str = "") -> Message:
    """The head that reaches the application when somebody signed in sends these headers."""
    path = door.upstream.on(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with door.open() as wire:
        assert wire.get(path + target, *headers).status == 200
    (call,) = door.upstream.find(path)
    return call.head


def _status(door: Door, request: str) -> int:
    """The answer to a request as it stands, which must not reach the application."""
    before = door.upstream.mark()
    with door.open() as wire:
        wire.send(request.replace("\n", "\r\n").encode("latin-1"))
        status = wire.response().status
    assert door.upstream.mark() == before
    return status


SPELLINGS = [
    "X-Auth-Request-User", "x-auth-request-user", "X-AUTH-REQUEST-USER", "X_Auth_Request_User", "X-Auth_Request-User",
    "x_auth_request_user", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X_Auth_Request_Groups",
    "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token", "X-Auth-Request-Anything",
]  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_cve_2025_64484_every_spelling_of_an_identity_is_stripped(door: Door, name: str) -> None:
    """Case and underscores name the same header to the application (also CVE-2026-33433, -39858, -52845)."""
    head = _forwarded(door, f"{name}: mallory", f"{name}:mallory,alice", f"{name}: ")
    assert b"mallory" not in head.raw
    assert head.values(b"x-auth-request-user") == ALICE
    assert all(b"_" not in key for key, _ in head.headers)


@pytest.mark.parametrize(
    "option",
    ["X-Auth-Request-User", "x-auth-request-user, close", "keep-alive, X-AUTH-REQUEST-USER", "X-Real-Ip, X-Forwarded-For",
     "Cookie, Host, X-Auth-Request-Email", "upgrade,x-auth-request-groups"],
)  # fmt: skip
def test_cve_2024_45410_connection_takes_nothing_of_ours(door: Door, option: str) -> None:
    """Hop-by-hop removal comes first, identity last (also CVE-2026-29054, GHSA-w9mr-28mw-j8hg)."""
    head = _forwarded(door, f"Connection: {option}", "X-Auth-Request-User: mallory")
    assert head.values(b"x-auth-request-user") == ALICE
    assert head.values(b"x-auth-request-email") == ALICE
    assert head.values(b"x-auth-request-groups")
    assert head.values(b"x-forwarded-for") == [b"127.0.0.1"]
    assert head.values(b"host") == [door.authority.encode()]
    assert b"mallory" not in head.raw


def test_cve_2026_30851_what_we_do_not_know_is_absent(door: Door) -> None:
    """A header of ours that has no value for this person is not the client's to fill."""
    head = _forwarded(
        door, "X-Auth-Request-Access-Token: a", "X-Auth-Request-Roles: admin", "X-Forwarded-User: admin"
    )
    assert b"admin" not in head.raw.replace(b"admins", b"")
    assert head.values(b"x-auth-request-access-token") == []


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host",
     "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-User", "X-Forwarded-Groups",
     "Forwarded", "X-Real-IP", "X_Real_IP", "X_Forwarded_Host"],
)  # fmt: skip
def test_cve_2026_35051_forwarded_headers_are_ours(door: Door, name: str) -> None:
    """Nobody in front of this door is trusted, so none of them passes (also CVE-2026-54764, CVE-2026-40575)."""
    head = _forwarded(door, f"{name}: evil.example")
    assert b"evil" not in head.raw
    assert head.values(b"x-forwarded-host") == [door.authority.encode()]
    assert head.values(b"x-forwarded-proto") == [b"http"]


@pytest.mark.parametrize("value", ["127.0.0.1", "10.0.0.1, 127.0.0.1", "unknown", "::1", '"_x"', "evil\t, a"])
def test_cve_2023_36456_the_clients_address_is_the_connections(door: Door, value: str) -> None:
    """What a client writes into X-Forwarded-For goes no further (also CVE-2024-47070, CVE-2024-21494)."""
    head = _forwarded(door, f"X-Forwarded-For: {value}", f"X-Forwarded-For: {value}", "X-Real-IP: 10.1.1.1")
    assert head.values(b"x-forwarded-for") == [b"127.0.0.1"]
    assert b"10." not in head.raw.replace(b"HTTP/1.0", b"")


def test_cve_2023_27487_internal_names_do_not_enter(door: Door) -> None:
    """Original and rewritten addresses are what a gateway says to an application."""
    head = _forwarded(
        door,
        "X-Original-URL: /admin",
        "X-Original-URI: /admin",
        "X-Rewrite-URL: /admin",
        "X-Original-Method: PUT",
    )
    assert b"/admin" not in head.raw
    assert b"PUT" not in head.raw


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override"]
)
def test_a_method_is_not_overridden(door: Door, name: str) -> None:
    """What is decided as GET is not executed as DELETE (rule R32)."""
    assert b"DELETE" not in _forwarded(door, f"{name}: DELETE").raw


def test_cve_2016_5385_proxy_is_no_header(door: Door) -> None:
    """CGI makes HTTP_PROXY of it."""
    assert (
        b"evil" not in _forwarded(door, "Proxy: http://evil.example", "Proxy-Authorization: Basic evil").raw
    )


@pytest.mark.parametrize(
    "name", ["Host", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Upgrade", "Sec-Purpose"]
)
def test_cve_2021_32777_what_is_decided_on_comes_once(door: Door, name: str) -> None:
    """A filter and an application may each believe another one (also CVE-2026-26308)."""
    twice = f"{name}: a\n{name.lower()}: b\n"
    request = f"GET /x HTTP/1.1\nHost: {door.authority}\nCookie: {door.cookie}\n{twice}\n"
    assert _status(door, request) == 400


@pytest.mark.parametrize(
    "target",
    ["/x?/public", "/x?x=/logged-out", "/x%23/public", "/x%3f/public", "/x;/logged-out", "/logged-out/../x",
     "/logged-out%2f..%2fx", "/oauth2/../x", "/.//x", "/x%5c..%5cpublic", "/x%00/logged-out", "/%2e%2e/x", "/x/..;/y",
     "/%252e%252e/x", "/oauth2%2fauth", "/LOGGED-OUT/x"],
)  # fmt: skip
def test_cve_2025_54576_no_shape_of_a_target_is_open(door: Door, target: str) -> None:
    """Gated or refused (also CVE-2026-41059, CVE-2025-66490, CVE-2021-29492, CVE-2026-33494, CVE-2023-33189)."""
    assert _status(door, f"GET {target} HTTP/1.1\nHost: {door.authority}\n\n") in {400, 401, 404}


@pytest.mark.parametrize(
    "headers",
    ["User-Agent: kube-probe/1.29", "User-Agent: GoogleHC/1.0", "Accept: text/event-stream", "X-Forwarded-Uri: /logged-out",
     "Authorization: Bearer x.y.z", "Authorization: Basic YTpi", "X-Auth-Request-User: alice@example.com",
     "Cookie: __Host-session=x", "Cookie: =", "Cookie: \xff", "X-Forwarded-For: 127.0.0.1", "Sec-Purpose: prefetch",
     "Access-Control-Request-Method: GET", "Upgrade: websocket", "Connection: Upgrade\nUpgrade: websocket",
     "Connection: Cookie", "Service-Worker: script", "Range: bytes=0-1", "Expect: 100-continue", "X-Auth-Passive: 1"],
)  # fmt: skip
def test_cve_2026_34457_no_header_opens_the_gate(door: Door, headers: str) -> None:
    """Probes, streams, tokens of others and broken cookies (also CVE-2022-29226, CVE-2026-25748, CVE-2021-32637)."""
    assert _status(door, f"GET /x HTTP/1.1\nHost: {door.authority}\n{headers}\n\n") == 401


@pytest.mark.parametrize(
    "method",
    ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "M-SEARCH", "QUERY", "LINK"],
)
def test_cve_2020_14359_no_method_opens_the_gate(door: Door, method: str) -> None:
    """With an empty body, and without any (also CVE-2025-3891)."""
    line = f"{method} /x HTTP/1.1\nHost: {door.authority}\nSec-Fetch-Site: same-origin\n"
    with door.open() as wire:
        before = door.upstream.mark()
        wire.send((line + "Content-Length: 0\n\n").replace("\n", "\r\n").encode())
        assert wire.response(method.encode()).status in {400, 401, 405}
        assert door.upstream.mark() == before


@pytest.mark.parametrize(
    "host", ["{}", "APP.LOCALHOST:{port}", "app.localhost.:{port}", "app.localhost", "127.0.0.1:{port}"]
)
def test_cve_2026_48794_hosts_are_compared_in_one_form(door: Door, host: str) -> None:
    """Case does not count; a trailing dot or another port is another name."""
    name = host.format(door.authority, port=door.authority.rpartition(":")[2])
    with door.open() as wire:
        wire.send(f"GET /x HTTP/1.1\r\nHost: {name}\r\nCookie: {door.cookie}\r\n\r\n".encode())
        assert wire.response().status == (200 if name.lower() == door.authority else 421)


def test_cve_2026_41181_our_cookies_stay_here(door: Door) -> None:
    """The application sees its own cookies byte for byte, and none of ours in any spelling that was sent."""
    head = _forwarded(door, 'Cookie: a=b;c=d ;  e="f;g"; __Host-login_0123abcd=x; __Host-other=h')
    assert b"__Host-session" not in head.raw
    assert b"__Host-login" not in head.raw
    assert b"__Host-other=h" in head.raw
    assert b"a=b;c=d ;" in head.raw


def test_cve_2026_71324_a_tunnel_never_returns_to_the_pool(door: Door) -> None:
    """CONNECT is refused; after a 101 the next request has a connection of its own."""
    accept = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    def switched(call: Call) -> None:
        call.body()
        call.send(accept)
        call.gone()
        call.close()

    path = door.upstream.on(switched)
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Origin: http://{door.authority}")  # fmt: skip
    with door.open() as wire, door.open() as other:
        wire.send(door.request(path, *headers))
        assert wire.head().status == 101
        after = door.upstream.on(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert other.get(after).status == 200
        assert door.upstream.find(after)[0].connection != door.upstream.find(path)[0].connection
        assert _status(door, f"CONNECT {door.authority} HTTP/1.1\nHost: {door.authority}\n\n") == 405


def test_cve_2025_31492_a_refusal_holds_nothing_of_the_application(door: Door) -> None:
    """Neither its body nor its headers."""
    with door.open() as wire:
        wire.send(f"GET / HTTP/1.1\r\nHost: {door.authority}\r\nConnection: close\r\n\r\n".encode())
        got = wire.rest()
    assert got.startswith(b"HTTP/1.1 401 ")
    assert got.count(b"HTTP/1.") == 1
