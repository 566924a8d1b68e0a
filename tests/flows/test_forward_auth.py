"""Forward-auth with the real nginx and the recipe as it is shipped, only addresses and paths replaced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.cookies import NO_COOKIES
from gateway.core.dice import token
from gateway.core.session import Principal, Session
from tests.fakes.browser import Browser, Seen
from tests.fakes.nginx import Nginx, free_port
from tests.fakes.upstream import Call, FakeUpstream, frame, read_frame, reply, websocket_echo
from tests.flows.conftest import Stand, standing

RECIPE = Path(__file__).parents[2] / "deploy" / "forward-auth" / "nginx.conf"
CONFIGURATION = "forward_auth: {caller: nginx}\ntrusted_proxies: [127.0.0.1/32]\n"
ONE_DEADLINE = {"key_files: [session-key]": "key_files: [session-key]\n  idle: 12h"}

ALICE = "alice@example.com"


@dataclass
class Front:
    """nginx, the gateway that it asks, and the application that it serves."""

    stand: Stand
    nginx: Nginx
    application: FakeUpstream

    @property
    def app(self) -> str:
        return self.stand.app

    @property
    def host(self) -> str:
        return self.app.removeprefix("http://")

    @property
    def last(self) -> Call:
        return self.application.calls[-1]

    def told(self, name: str) -> list[str]:
        """The values of one header of the last request that reached the application."""
        return [value.decode() for value in self.last.values(name.encode())]

    async def raw(self, request: str) -> bytes:
        """The head of nginx's answer to the bytes of one request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        writer.write(request.replace("\n", "\r\n").encode("latin-1"))
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        finally:
            writer.close()


async def application(call: Call) -> object:
    """Answers by path: a page, a script, a cookie, a socket."""
    path = call.request_line.split()[1]
    if path == b"/api/live":
        return await websocket_echo(call)
    body = await call.body()
    kind, *more = {
        b"/assets/app.js": (b"text/javascript", b"Cache-Control: public, max-age=600, immutable", b"CDN-Cache-Control: x"),
        b"/fixation": (b"text/plain", b"Set-Cookie: __Host-session=evil; Path=/; Secure", b"Set-Cookie: own=1; Secure"),
    }.get(path, (b"text/html", b"Cache-Control: public, max-age=600"))  # fmt: skip
    await call.send(reply(body or b"the application", b"Content-Type: " + kind, *more))
    return None


def with_example(recipe: str) -> str:
    """The recipe with the example location, which it shows in a comment, made real."""
    lines = recipe.splitlines()
    shown = [line for line in lines if line.startswith("    #   ")]
    assert shown[0] == "    #   location /api/live {"
    return "\n".join(line.replace("    #   ", "    ") if line in shown else line for line in lines)


@pytest.fixture
async def front(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    recipe: Callable[[str], str] = getattr(request, "param", str)
    port = free_port()
    served = await FakeUpstream(application).start()
    async with standing(tmp_path, extra=CONFIGURATION, front=port, **ONE_DEADLINE) as stand:
        directory = tmp_path / "nginx"
        directory.mkdir()
        host = stand.app.removeprefix("http://")
        substitutions = {
            "https://app.example.com": stand.app,
            "proxy_set_header Host app.example.com": f"proxy_set_header Host {host}",
            "server_name app.example.com": "server_name app.localhost",
            "listen 80": f"listen 127.0.0.1:{port}",
            "127.0.0.1:8080": f"127.0.0.1:{stand.port}",
            "127.0.0.1:3000": f"127.0.0.1:{served.port}",
            "/var/log/nginx/": f"{directory}/",
        }
        nginx = Nginx(directory, recipe(RECIPE.read_text()), substitutions, port)
        await nginx.start()
        try:
            yield Front(stand, nginx, served)
        finally:
            await nginx.close()
            await served.close()


@pytest.fixture
async def browser(front: Front) -> Browser:
    return front.stand.browser()


async def signed_in(front: Front, browser: Browser, path: str = "/reports/q3?year=2026", **who: str) -> Seen:
    return await front.stand.sign_in(browser, path, **who)


async def test_sign_in_restores_the_deep_link_and_tells_the_application_who(
    front: Front, browser: Browser
) -> None:
    """A navigation leads through the sign-in back to where it was going; the application sees the identity."""
    page = await signed_in(front, browser)
    assert (page.status, page.path, page.text) == (200, "/reports/q3?year=2026", "the application")
    assert front.last.request_line == b"GET /reports/q3?year=2026 HTTP/1.1"
    assert front.told("X-Auth-Request-User") == front.told("X-Auth-Request-Email") == [ALICE]
    assert front.told("X-Auth-Request-Groups") == ["admins,staff"]
    assert front.told("Host") == front.told("X-Forwarded-Host") == [front.host]


async def test_nobody_signed_in_reaches_nothing(front: Front, browser: Browser) -> None:
    """Navigations are sent to sign in; fetches hear 401 with what design section 7 says, and no cookie is set."""
    page = await browser.navigate(f"{front.app}/a/b?c=d&e")
    assert (page.status, page.location) == (302, f"{front.app}/oauth2/start?rd=/a/b%3Fc%3Dd%26e")
    answer = await browser.fetch(f"{front.app}/api/me")
    problem = json.loads(answer.text)
    assert (answer.status, answer.header("Content-Type")) == (401, "application/problem+json")
    assert (problem["code"], problem["login_url"]) == ("login_required", f"{front.app}/oauth2/start")
    posted = await browser.navigate(f"{front.app}/form", method="POST", body="x=1", site="same-origin")
    assert posted.status == 401
    for seen in (page, answer, posted):
        assert seen.header("Cache-Control") == "no-store"
        assert not seen.set_cookies()
    assert not front.application.calls


async def test_spoofed_identity_headers_never_arrive(front: Front, browser: Browser) -> None:
    """In any spelling, twice, empty or named in Connection: what the application sees is the gateway's word."""
    await signed_in(front, browser)
    cookies = browser.cookie_header(front.app)
    answer = await front.raw(
        f"GET /x HTTP/1.1\nHost: {front.host}\nCookie: {cookies}\n"
        "X-Auth-Request-User: mallory\nx-auth-request-user: mallory\nX_Auth_Request_User: mallory\n"
        "X-Auth-Request-Preferred-Username: mallory\nX-Auth-Request-Email:\nX-Auth-Request-Groups: root\n"
        "X-Forwarded-Host: evil.test\nX-Forwarded-Prefix: /evil\nX-Original-URL: http://evil.test/\n"
        "X-HTTP-Method-Override: DELETE\nX-Forwarded-For: 203.0.113.9\n"
        "Connection: close, X-Auth-Request-User, X-Auth-Request-Groups\n\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert front.told("X-Auth-Request-User") == [ALICE]
    assert front.told("X-Auth-Request-Groups") == ["admins,staff"]
    assert b"mallory" not in front.last.head
    assert b"evil" not in front.last.head
    assert front.told("X-Forwarded-For") == ["127.0.0.1"]
    for name in ("X_Auth_Request_User", "X-Original-URL", "X-HTTP-Method-Override", "X-Forwarded-Prefix"):
        assert not front.told(name)


async def test_r07_the_clients_own_original_headers_are_not_believed(front: Front, browser: Browser) -> None:
    """X-Original-* of a client cannot have another request checked than the one that is served."""
    await signed_in(front, browser, "/x", user="bob@example.com")
    spoofed = {"X-Original-URL": f"{front.app}/x", "X-Original-Method": "GET", "X-Forwarded-Uri": "/x"}
    denied = await browser.fetch(f"{front.app}/admin/users", **spoofed)
    assert denied.status == 403
    for path in ("/oauth2/auth", "/oauth2/%61uth", "/x/../oauth2/auth"):
        assert (await browser.fetch(front.app + path, **spoofed)).status in {400, 404}
    below = await browser.fetch(f"{front.app}/oauth2/auth/x", **spoofed)
    assert below.status == 403
    assert not below.header("X-Auth-Request-User")


@pytest.mark.parametrize(
    "cookies",
    [
        "{own}",
        "{own}; a=1",
        "a=1; {own}",
        "a=1; {own}; b=2",
        "a=1;{own};b=2; __Host-login_0badcafe=x; c=3; __Host-logout=y",
        "__Host-logout=z; a=1; __Host-session_8=x; __Host-session_9=y; {own}; b=2; __Secure-session-hint=h",
        "a=__Host-session; {own}; x__Host-session=kept; __Host-sessions=kept",
        "\t{own} ; __Host-login_=; =v; novalue; a=1",
    ],
)
async def test_the_gateways_cookies_never_reach_the_application(
    front: Front, browser: Browser, cookies: str
) -> None:
    """Wherever they stand in the header, only the other cookies arrive, all of them and in their order."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    sent = cookies.format(own=own)
    answer = await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {sent}\nConnection: close\n\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    ours = ("__Host-session=", "__Host-session_", "__Host-log", "__Secure-session-hint")
    others = [pair.strip() for pair in sent.split(";") if not pair.strip().startswith(ours)]
    arrived = "; ".join(front.told("Cookie"))
    assert [pair.strip() for pair in arrived.split(";") if arrived] == others


async def test_more_of_our_cookies_than_a_browser_has_take_all_cookies_away(
    front: Front, browser: Browser
) -> None:
    """What the recipe's maps cannot take out one by one does not pass either; nor in a second Cookie header."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    many = "; ".join(f"a{n}=1; __Host-login_{n:08x}=x" for n in range(12))
    lines = (f"Cookie: {own}; {many}", f"Cookie: a=1\nCookie: {own}")
    for line in lines:
        answer = await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\n{line}\nConnection: close\n\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"__Host-" not in front.last.head


@pytest.mark.parametrize(
    "filler",
    [
        "; ",
        ";",
        "a=1; ",
        "__Host-login_",
        "__Host-session ",
        " \t",
        "__Host-session;",
        "=;__Host-",
        "__Host-login_" + " " * 9_000,
    ],
)
async def test_a_cookie_header_cannot_tire_nginx(front: Front, browser: Browser, filler: str) -> None:
    """The maps' expressions stay linear on whatever fills a header line, and do not give up and let ours pass."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    line = f"{filler * (13_000 // len(filler))}; {own}; b=2"
    began = asyncio.get_running_loop().time()
    await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {line}\nConnection: close\n\n")
    assert asyncio.get_running_loop().time() - began < 1
    assert own.encode() not in front.last.head
    assert "pcre" not in front.nginx.errors()


async def test_r08_unsafe_requests_from_other_origins_are_refused(front: Front, browser: Browser) -> None:
    """A POST and a WebSocket handshake need the same origin; the application sees neither otherwise."""
    await signed_in(front, browser)
    before = len(front.application.calls)
    evil = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    for method in ("POST", "DELETE"):
        answer = await browser.fetch(f"{front.app}/api/orders", method=method, body="x", **evil)
        assert (answer.status, json.loads(answer.text)["code"]) == (403, "cross_origin")
    preflight = {**evil, "Access-Control-Request-Method": "PUT"}
    assert (await browser.fetch(f"{front.app}/api/orders", method="OPTIONS", **preflight)).status == 403
    handshake = await front.raw(_handshake(front, browser, "https://evil.test"))
    assert handshake.startswith(b"HTTP/1.1 403 ")
    assert len(front.application.calls) == before
    ours = await browser.fetch(f"{front.app}/api/orders", method="POST", body="x=1", Origin=front.app)
    assert (ours.status, ours.text) == (200, "x=1")


async def test_a_websocket_of_the_same_origin_is_opened(front: Front, browser: Browser) -> None:
    """The handshake passes; an upgrade to anything else than WebSocket is not offered to the application."""
    await signed_in(front, browser)
    assert (await front.raw(_handshake(front, browser, front.app))).startswith(b"HTTP/1.1 101 ")
    assert (front.told("Upgrade"), front.told("Connection")) == (["websocket"], ["upgrade"])
    cookies = browser.cookie_header(front.app)
    answer = await front.raw(
        f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {cookies}\nUpgrade: h2c\nHTTP2-Settings: x\n"
        "Connection: Upgrade, HTTP2-Settings, close\n\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert not front.told("Upgrade")


async def test_r30_a_socket_that_nginx_carries_outlives_the_sign_out(front: Front, browser: Browser) -> None:
    """As documented: nginx does not ask again, so only its own timeout ends a WebSocket."""
    await signed_in(front, browser)
    reader, writer = await _open_socket(front, browser)
    await front.stand.sign_out(browser)
    writer.write(frame(1, b"still here", mask=b"mask"))
    assert await asyncio.wait_for(read_frame(reader), 5) == (1, b"still here")
    writer.close()


@pytest.mark.parametrize("front", [with_example], indirect=True)
async def test_r30_a_socket_that_the_gateway_carries_ends_with_the_session(
    front: Front, browser: Browser
) -> None:
    """The recipe's example location: checked by the gateway itself, and closed with 4401 at sign-out."""
    await signed_in(front, browser)
    refused = await front.raw(_handshake(front, browser, "https://evil.test"))
    assert refused.startswith(b"HTTP/1.1 403 ")
    reader, writer = await _open_socket(front, browser)
    await front.stand.sign_out(browser)
    opcode, payload = 0, b""
    while opcode != 8:
        opcode, payload = await asyncio.wait_for(read_frame(reader), 5)
    assert payload[:2] == (4401).to_bytes(2)
    writer.close()


async def test_large_sessions_fit(front: Front, browser: Browser) -> None:
    """A session in two cookies, many groups, and a full jar of the application's own."""
    gateway, now = front.stand.gateway, clock.now()
    groups = tuple(f"department-{n:04}" for n in range(400))
    session = Session(
        sid="sid-1",
        log_id=gateway.log.log_id,
        principal=Principal(
            "https://idp", "s-1", ALICE, groups=("staff", *groups), claims={"key": token(2_700)}
        ),
        aliases=("sub:https://idp|s-1",),
        login_at=now,
        seen=gateway.log.index.position,
        idle_until=now + 3_600,
        absolute_until=now + 3_600,
    )
    sealed = [line.partition(";")[0] for line in gateway.sessions.seal(session, NO_COOKIES, now)]
    assert len(sealed) == 2
    jar = "; ".join([sealed[0], "a=" + "x" * 9_000, sealed[1]])
    answer = await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {jar}\nConnection: close\n\n")
    assert answer.startswith(b"HTTP/1.1 200 "), front.nginx.errors()
    assert front.told("Cookie") == ["a=" + "x" * 9_000]
    assert front.told("X-Auth-Request-Groups") == [",".join(("staff", *groups))]


async def test_logout_ends_everything_at_once(front: Front, browser: Browser) -> None:
    """/logout through nginx ends all three sessions; a copied cookie and another tab's fetch are refused at once."""
    await signed_in(front, browser)
    copied = browser.cookie_header(front.app)
    before = len(front.application.calls)
    answer = await browser.navigate(f"{front.app}/logout", method="POST", body="", site="same-origin")
    assert answer.status == 303
    replay = await front.stand.browser().send("GET", f"{front.app}/api/me", {"Cookie": copied}, None)
    assert (replay.status, json.loads(replay.text)["code"]) == (401, "logout_in_progress")
    tab = await browser.fetch(f"{front.app}/api/me")
    assert (tab.status, json.loads(tab.text)["code"]) == (401, "logout_in_progress")
    receipt = await browser.follow(answer, site="same-origin")
    assert (receipt.status, receipt.path) == (200, "/logged-out")
    assert not front.stand.idp.control.okta.snapshot()["sessions"]
    assert not front.stand.idp.control.cognito.snapshot()["sessions"]
    again = await browser.goto(f"{front.app}/reports/q3")
    assert 'name="password"' in again.text
    assert len(front.application.calls) == before


async def test_a_navigation_during_the_sign_out_waits(front: Front, browser: Browser) -> None:
    """While the chain is under way a navigation sees the waiting page, not a sign-in and not the application."""
    await signed_in(front, browser)
    await browser.navigate(f"{front.app}/logout", method="POST", body="", site="same-origin")
    page = await browser.goto(f"{front.app}/reports/q3")
    assert (page.status, page.path.partition("?")[0]) == (200, "/oauth2/start")
    assert "/logout/continue" in page.text


async def test_the_policy_denies(front: Front, browser: Browser) -> None:
    """A signed-in user without the right gets 403: people a page, programs a problem document."""
    await signed_in(front, browser, "/", user="bob@example.com")
    page = await browser.navigate(f"{front.app}/admin/users", site="same-origin")
    assert (page.status, page.header("Content-Type")) == (403, "text/html; charset=utf-8")
    assert "your account has no right" in page.text
    problem = await browser.fetch(f"{front.app}/admin/users")
    assert (problem.status, json.loads(problem.text)["code"]) == (403, "denied")
    assert front.last.request_line == b"GET / HTTP/1.1"


@pytest.mark.parametrize(
    "target",
    ["/x/%2e%2e/admin", "/x%2f..%2fadmin", "//admin", "/x/..;/admin", "/%00", "/a%5cb", "/x#/admin", "/%ff"],
)
async def test_r32_a_target_with_two_readings_is_refused(front: Front, browser: Browser, target: str) -> None:
    """What nginx, gateway and application could read differently reaches the application from nobody."""
    await signed_in(front, browser)
    before = len(front.application.calls)
    cookies = browser.cookie_header(front.app)
    answer = await front.raw(
        f"GET {target} HTTP/1.1\nHost: {front.host}\nCookie: {cookies}\nConnection: close\n\n"
    )
    assert answer.split()[1] in {b"400", b"403"}, answer
    assert len(front.application.calls) == before


@pytest.mark.parametrize(
    "host", ["evil.test", "app.localhost/x", "app.localhost@evil.test", "app.localhost:1"]
)
async def test_unknown_hosts_get_nothing(front: Front, browser: Browser, host: str) -> None:
    """Only the configured host is served, whatever else resolves to nginx or stands in the request line."""
    await signed_in(front, browser)
    before = len(front.application.calls)
    cookies = browser.cookie_header(front.app)
    for target in ("/", f"{front.app}/"):
        answer = await front.raw(
            f"GET {target} HTTP/1.1\nHost: {host}\nCookie: {cookies}\nConnection: close\n\n"
        )
        assert answer.split()[1] in {b"400", b"403", b"421"}, answer
    assert len(front.application.calls) == before


async def test_r27_caches(front: Front, browser: Browser) -> None:
    """Documents are not stored, also where they are no HTML; assets may be kept by the browser alone."""
    page = await signed_in(front, browser)
    assert page.header("Cache-Control") == "no-store"
    script = await browser.fetch(f"{front.app}/assets/app.js")
    assert script.header("Cache-Control") == "private, max-age=600, immutable"
    assert not script.header("CDN-Cache-Control")
    assert (await browser.navigate(f"{front.app}/assets/app.js")).header("Cache-Control") == "no-store"


async def test_the_application_cannot_set_our_cookies(front: Front, browser: Browser) -> None:
    """A browser refuses a __Host- cookie that is not Secure; the application's own cookies stay as they are."""
    await signed_in(front, browser)
    answer = await browser.fetch(f"{front.app}/fixation")
    assert answer.set_cookies() == ["__Host-session=evil; Path=/", "own=1; Secure"]


async def test_a_gateway_that_is_down_lets_nothing_pass(front: Front, browser: Browser) -> None:
    """Without an answer to its question nginx answers 5xx, also for people who are signed in."""
    await signed_in(front, browser)
    before = len(front.application.calls)
    front.stand.run.stop.set()
    for _ in range(100):
        answer = await browser.fetch(f"{front.app}/api/me")
        if answer.status != 200:
            break
        before += 1
        await asyncio.sleep(0.02)
    assert answer.status >= 500
    assert (await browser.fetch(f"{front.app}/oauth2/session")).status >= 500
    assert len(front.application.calls) == before


async def test_r34_nginx_logs_no_query(front: Front, browser: Browser) -> None:
    """The recipe's access log has the paths of a sign-in, and neither its code nor its state."""
    await signed_in(front, browser, "/reports/q3?secret=tell-nobody")
    await asyncio.sleep(0.05)
    log = (front.nginx.directory / "access.log").read_text()
    assert '"GET /oauth2/callback"' in log
    assert '"GET /reports/q3"' in log
    assert "?" not in log


async def _open_socket(front: Front, browser: Browser) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.nginx.port)
    writer.write(_handshake(front, browser, front.app).replace("\n", "\r\n").encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


def _handshake(front: Front, browser: Browser, origin: str) -> str:
    return (
        f"GET /api/live HTTP/1.1\nHost: {front.host}\nCookie: {browser.cookie_header(front.app)}\n"
        f"Origin: {origin}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
    )
