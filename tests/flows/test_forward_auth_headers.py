"""What the recipe lets through, and what it takes out, in both directions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.dice import token
from gateway.core.http.foreign_identity import NAMES, one_spelling
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.session import Principal, Session
from tests.core.http.test_clearing import CASES
from tests.fakes.browser import Browser
from tests.fakes.door import eventually
from tests.fakes.upstream import always, reply
from tests.flows.front import ALICE, COOKIES, RECIPE, Front, foreign, fronted, signed_in

OLD = b"Last-Modified: Sat, 30 Nov 2024 00:00:00 GMT"


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with fronted(tmp_path) as running:
        yield running


@pytest.fixture
async def browser(front: Front) -> Browser:
    return front.stand.browser()


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


def test_the_recipe_takes_out_whatever_the_gateway_would() -> None:
    """As far as nginx can: it knows no beginnings of names. What it does not pass at all it drops by itself."""
    lines = re.findall(r'proxy_set_header ([A-Za-z-]+) "";', RECIPE.read_text())
    told = {one_spelling(name.lower().encode()) for name in lines}
    assert {name for name in NAMES if name.startswith((b"remote-", b"x-remote-"))} - told <= {
        b"x-remote-name"
    }
    assert [begin for begin in (b"x-amzn-oidc-", b"x-webauth-", b"x-ms-client-principal", b"x-goog-", b"cf-access-")
            if not any(name.startswith(begin) for name in told)] == []  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Remote-User", "X-WEBAUTH-USER", "X-Amzn-Oidc-Identity", "X.Auth.Request.User"]
)
async def test_identity_headers_of_other_proxies_never_arrive(
    front: Front, browser: Browser, name: str
) -> None:
    """In front of the application stands nobody any more who would set them."""
    await signed_in(front, browser)
    await front.raw(
        f"GET /x HTTP/1.1\nHost: {front.host}\nCookie: {browser.cookie_header(front.app)}\n{name}: mallory\n\n"
    )
    assert b"mallory" not in front.last.head


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


@pytest.mark.parametrize("cookies", COOKIES)
async def test_the_gateways_cookies_never_reach_the_application(
    front: Front, browser: Browser, cookies: str
) -> None:
    """Wherever they stand in the header, only the other cookies arrive, all of them and in their order."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    sent = cookies.format(own=own)
    answer = await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {sent}\nConnection: close\n\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    arrived = "; ".join(front.told("Cookie"))
    assert [pair.strip() for pair in arrived.split(";") if arrived] == foreign(sent)


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
        "__Host-session--a",
        "__Host-login--a_",
        "=;__Host-",
        "__Host-login_" + " " * 9_000,
    ],
)
async def test_a_cookie_header_cannot_tire_nginx(front: Front, browser: Browser, filler: str) -> None:
    """The maps' expressions cost little of a processor on whatever fills a header line, and do not give up and let ours pass."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    line = f"{filler * (13_000 // len(filler))}; {own}; b=2"
    before = front.nginx.worked()
    await front.raw(f"GET / HTTP/1.1\nHost: {front.host}\nCookie: {line}\nConnection: close\n\n")
    assert front.nginx.worked() - before < 1
    assert own.encode() not in front.last.head
    assert "pcre" not in front.nginx.errors()


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
    """Only the configured host is served, whatever else resolves to nginx; the host of a whole address in the request
    line is the one that counts (RFC 9112 §3.2.2), and the only one that the application hears.
    """
    await signed_in(front, browser)
    cookies = browser.cookie_header(front.app)

    async def asked(target: str) -> bytes:
        more = f"Host: {host}\nCookie: {cookies}\nConnection: close\n\n"
        return (await front.raw(f"GET {target} HTTP/1.1\n{more}")).split()[1]

    before = len(front.application.calls)
    assert await asked("/") in {b"400", b"403", b"421"}
    assert await asked(f"http://{host}/") in {b"400", b"403", b"421"}
    assert len(front.application.calls) == before
    assert await asked(f"{front.app}/") in {b"200", b"400"}
    for call in front.application.calls[before:]:
        assert call.values(b"Host") == call.values(b"X-Forwarded-Host") == [front.host.encode()]


async def test_r27_caches(front: Front, browser: Browser) -> None:
    """Documents are not stored, also where they are no HTML; assets may be kept by the browser alone."""
    page = await signed_in(front, browser)
    assert page.header("Cache-Control") == "no-store"
    script = await browser.fetch(f"{front.app}/assets/app.js")
    assert script.header("Cache-Control") == "private, max-age=600, immutable"
    assert not script.header("CDN-Cache-Control")
    assert (await browser.navigate(f"{front.app}/assets/app.js")).header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([OLD], "private, no-cache"),
        ([OLD, b"Cache-Control: public"], "private, no-cache"),
        ([OLD, b"Cache-Control: s-maxage=9"], "private, no-cache"),
        ([OLD, b"Cache-Control: public, max-age=5x"], "private, no-cache"),
        ([OLD, b"Expires: 0"], "private, no-cache"),
        ([OLD, b"Expires: Sun, 30 Nov 2036 00:00:00 GMT"], "private"),
        ([OLD, b"Cache-Control: max-age=60"], "private, max-age=60"),
        ([OLD, b"Cache-Control: max-age=60, public"], "private, max-age=60"),
        ([OLD, b"Cache-Control: no-cache, max-age=60"], "private, no-cache"),
        ([OLD, b"Cache-Control: No-Store"], "no-store"),
    ],
)
async def test_r27_silence_is_no_permission(
    front: Front, browser: Browser, lines: list[bytes], said: str
) -> None:
    """What does not say for how long it may be kept is asked for anew."""
    await signed_in(front, browser)
    front.application.script = always(reply(b"{}", b"Content-Type: application/json", *lines))
    assert (await browser.fetch(f"{front.app}/api/x")).header("Cache-Control") == said


@pytest.mark.parametrize(("said", "left"), CASES)
async def test_the_application_cannot_clear_our_cookies(
    front: Front, browser: Browser, said: bytes, left: bytes
) -> None:
    """The rest of what it clears stays."""
    await signed_in(front, browser)
    front.application.script = always(reply(b"bye", b"Clear-Site-Data: " + said))
    answer = await browser.fetch(f"{front.app}/x")
    cleared = [each.strip() for each in answer.header("Clear-Site-Data").split(",") if each.strip()]
    assert cleared == [each.strip() for each in left.decode().split(",") if each.strip()]


async def test_the_application_cannot_set_our_cookies(front: Front, browser: Browser) -> None:
    """A browser refuses a __Host- cookie that is not Secure; the application's own cookies stay as they are."""
    await signed_in(front, browser)
    answer = await browser.fetch(f"{front.app}/fixation")
    assert answer.set_cookies() == ["__Host-session=evil; Path=/", "own=1; Secure"]


async def test_r34_nginx_logs_no_query(front: Front, browser: Browser) -> None:
    """The recipe's access log has the paths of a sign-in, and neither its code nor its state."""
    await signed_in(front, browser, "/reports/q3?secret=tell-nobody")
    file = front.nginx.directory / "access.log"
    await eventually(
        lambda: file.read_text().count('"GET /reports/q3"') == 2
    )  # before the sign-in and after it
    log = file.read_text()
    assert '"GET /oauth2/callback"' in log
    assert "?" not in log


async def test_nobody_comes_next_on_a_connection_that_the_application_has_authenticated(
    front: Front, browser: Browser
) -> None:
    """NTLM, Negotiate and what nobody knows go on connections of their own; what is in every request shares them."""
    await signed_in(front, browser)
    used = []
    for said in ("", "Negotiate alice", "", "X-Own alice", "Bearer x", "Negotiate alice", ""):
        await browser.fetch(f"{front.app}/x", **({"Authorization": said} if said else {}))
        used.append(front.last.connection)
    alone = [used[1], used[3], used[5]]
    assert len(set(alone)) == len(alone)
    assert not {used[0], used[2], used[4], used[6]} & set(alone)
