"""Forward-auth by every other caller: the shipped recipe and the real proxy, and for each the same cases."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from fnmatch import translate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import yaml

from gateway.core.http.foreign_identity import BEGINNINGS, NAMES
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser
from tests.fakes.front_proxies import FrontProxy
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.flows.contracts import CONTRACTS
from tests.flows.front import (
    ALICE,
    CALLERS,
    COOKIES,
    OVER_GRPC,
    RECIPES,
    Front,
    foreign,
    fronted,
    handshake,
    signed_in,
)  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=[OVER_GRPC, *(name for name in CALLERS if name != "nginx")]
)
async def front(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Front]:
    """One for all tests of a caller; each has a browser of its own."""
    directory: Path = tmp_path_factory.mktemp(request.param)
    async with fronted(directory, caller=request.param) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(front: Front) -> Browser:
    return front.stand.browser()


async def test_people_are_led_to_the_sign_in_and_back(front: Front, browser: Browser) -> None:
    """A navigation is sent to sign in and ends where it was going; the application hears who it is."""
    page = await browser.navigate(f"{front.app}/a/b?c=d&e")
    assert (page.status, page.location) == (302, f"{front.app}/oauth2/start?rd=/a/b%3Fc%3Dd%26e")
    assert page.header("Cache-Control") == "no-store"
    page = await signed_in(front, browser)
    assert (page.status, page.path, page.text) == (200, "/reports/q3?year=2026", "the application")
    assert front.last.request_line == b"GET /reports/q3?year=2026 HTTP/1.1"
    assert front.told("X-Auth-Request-User") == front.told("X-Auth-Request-Email") == [ALICE]
    assert front.told("X-Auth-Request-Groups") == ["admins,staff"]
    assert front.told("Host") == front.told("X-Forwarded-Host") == [front.host]


async def test_programs_hear_that_nobody_is_signed_in(front: Front, browser: Browser) -> None:
    """The problem document reaches the script as the gateway wrote it, whatever the method."""
    before = len(front.application.calls)
    for method, body in (("GET", None), ("POST", "x=1"), ("PUT", "x"), ("DELETE", None)):
        answer = await browser.fetch(f"{front.app}/api/me", method=method, body=body)
        problem = json.loads(answer.text)
        assert (answer.status, answer.header("Content-Type")) == (401, "application/problem+json")
        assert (problem["code"], problem["login_url"]) == ("login_required", f"{front.app}/oauth2/start")
        assert not answer.set_cookies()
    head = await front.raw(f"HEAD /api/me HTTP/1.1\nHost: {front.host}\nConnection: close\n\n")
    assert head.startswith(b"HTTP/1.1 401 ")
    assert len(front.application.calls) == before


async def test_methods_and_bodies_reach_the_application(front: Front, browser: Browser) -> None:
    """As they were sent, and decided on as what they are."""
    await signed_in(front, browser)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await browser.fetch(
            f"{front.app}/api/orders?a=%2F", method=method, body="x=1", Origin=front.app
        )
        assert (answer.status, answer.text) == (200, "x=1")
        assert front.last.request_line == f"{method} /api/orders?a=%2F HTTP/1.1".encode()
        other = await browser.fetch(
            f"{front.app}/api/orders",
            method=method,
            body="x=1",
            Origin="https://evil.test",
            **{"Sec-Fetch-Site": "cross-site"},
        )
        assert (other.status, json.loads(other.text)["code"]) == (403, "cross_origin")
    assert (await front.raw(_as(front, browser, "HEAD /x HTTP/1.1"))).startswith(b"HTTP/1.1 200 ")
    assert front.last.request_line.startswith(b"HEAD /x ")


SPOOFED = (
    "X-Auth-Request-User: mallory\nx-auth-request-user: mallory\nX_Auth_Request_User: mallory\n"
    "X.Auth.Request.User: mallory\nX-Auth-Request-Preferred-Username: mallory\nX-Auth-Request-Email:\n"
    "X-Auth-Request-Groups: mallory\nRemote-User: mallory\nX-WEBAUTH-USER: mallory\nX-Forwarded-User: mallory\n"
    "X-Amzn-Oidc-Identity: mallory\nX-Forwarded-Host: evil.test\nX-Forwarded-Prefix: /evil\n"
    "X-Original-URL: http://evil.test/\nX-Forwarded-Uri: /evil\nX-Forwarded-Method: DELETE\n"
    "X-HTTP-Method-Override: DELETE\nX-Forwarded-For: 203.0.113.9\n"
)


async def test_what_a_client_says_of_itself_never_arrives(front: Front, browser: Browser) -> None:
    """In any spelling, twice, empty or named in Connection: what the application sees is the gateway's word."""
    await signed_in(front, browser)
    answer = await front.raw(
        _as(front, browser, "GET /x HTTP/1.1", SPOOFED, "close, X-Auth-Request-User, X-Auth-Request-Groups")
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert front.told("X-Auth-Request-User") == [ALICE]
    assert front.told("X-Auth-Request-Groups") == ["admins,staff"]
    assert b"mallory" not in front.last.head
    assert b"evil" not in front.last.head
    assert b"203.0.113.9" not in front.last.head
    assert b"DELETE" not in front.last.head


async def test_r07_the_clients_own_words_have_no_other_request_checked(
    front: Front, browser: Browser
) -> None:
    """Of what only the proxy may say nothing is believed, and nobody outside may ask."""
    await signed_in(front, browser, "/x", user="bob@example.com")
    spoofed = {
        "X-Original-URL": f"{front.app}/x", "X-Original-Method": "GET", "X-Forwarded-Uri": "/x",
        "X-Forwarded-Method": "GET", "X-Forwarded-Host": front.host,
    }  # fmt: skip
    assert (await browser.fetch(f"{front.app}/admin/users", **spoofed)).status == 403
    for path in ("/oauth2/auth", "/oauth2/%61uth", "/x/../oauth2/auth", "/oauth2/auth/x"):
        answer = await browser.fetch(front.app + path, **spoofed)
        assert answer.status >= 400, path
        assert not answer.header("X-Auth-Request-User")


@pytest.mark.parametrize(
    "target", ["/admin/../x", "/%2e%2e/admin", "/x/..%2fadmin", "//admin", "/admin;a/users", "/ADMIN/users"]
)
async def test_a_target_with_two_readings_opens_nothing(front: Front, browser: Browser, target: str) -> None:
    """Whatever the proxy makes of it, bob does not see what is the administrators'."""
    await signed_in(front, browser, "/x", user="bob@example.com")
    before = len(front.application.calls)
    await front.raw(_as(front, browser, f"GET {target} HTTP/1.1"))
    for call in front.application.calls[before:]:
        assert b"admin" not in call.request_line.lower()


async def test_an_absolute_target_is_decided_on_as_it_is_served(front: Front, browser: Browser) -> None:
    """The host of the target is the one that counts (RFC 9112 §3.2.2), for the proxy and for the gateway."""
    await signed_in(front, browser, "/x", user="bob@example.com")
    before = len(front.application.calls)
    refused = await front.raw(_as(front, browser, f"GET http://{front.host}/admin/users HTTP/1.1"))
    assert refused.startswith(b"HTTP/1.1 403 ")
    await front.raw(_as(front, browser, "GET http://evil.test/x HTTP/1.1"))
    assert len(front.application.calls) == before
    assert (await front.raw(_as(front, browser, f"GET http://{front.host}/x HTTP/1.1"))).startswith(
        b"HTTP/1.1 200 "
    )


@pytest.mark.parametrize("cookies", COOKIES)
async def test_the_gateways_cookies_never_reach_the_application(
    front: Front, browser: Browser, cookies: str
) -> None:
    """The rest does, as it was sent."""
    await signed_in(front, browser)
    own = browser.cookie_header(front.app)
    sent = cookies.replace("{own}", own)
    answer = await front.raw(f"GET /x HTTP/1.1\nHost: {front.host}\nCookie: {sent}\nConnection: close\n\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    arrived = [pair.strip() for value in front.told("Cookie") for pair in value.split(";") if pair.strip()]
    assert arrived == foreign(sent)


async def test_the_application_cannot_set_our_cookies(front: Front, browser: Browser) -> None:
    """What it calls by their names arrives under none of them; its own cookie does. Traefik rewrites no Set-Cookie."""
    await signed_in(front, browser)
    answer = await browser.fetch(f"{front.app}/fixation")
    set_ours = any(line.startswith("__Host-session") for line in answer.set_cookies())
    assert set_ours != CONTRACTS[front.kind].looks_into_answers
    assert any(line.startswith("own=1") for line in answer.set_cookies())


async def test_nothing_is_kept_where_the_next_person_finds_it(front: Front, browser: Browser) -> None:
    """No document is stored, and no shared cache keeps a thing; behind Traefik the browser asks for everything anew."""
    await signed_in(front, browser)
    assert (await browser.navigate(f"{front.app}/x")).header("Cache-Control") == "no-store"
    script = (await browser.fetch(f"{front.app}/assets/app.js")).header("Cache-Control")
    assert "private" in script
    assert "public" not in script
    assert ("max-age=600" if CONTRACTS[front.kind].looks_into_answers else "no-cache") in script


async def test_sign_out_ends_everything_at_once(front: Front, browser: Browser) -> None:
    """The next check of a copied cookie is refused, another tab waits, and the chain ends in the receipt."""
    await signed_in(front, browser)
    copied = browser.cookie_header(front.app)
    before = len(front.application.calls)
    answer = await browser.navigate(f"{front.app}/logout", method="POST", body="", site="same-origin")
    assert answer.status == 303
    replay = await front.stand.browser().send("GET", f"{front.app}/api/me", {"Cookie": copied}, None)
    assert (replay.status, json.loads(replay.text)["code"]) == (401, "logout_in_progress")
    waiting = await browser.goto(f"{front.app}/reports/q3")
    assert "/logout/continue" in waiting.text
    receipt = await browser.follow(answer, site="same-origin")
    assert (receipt.status, receipt.path) == (200, "/logged-out")
    assert len(front.application.calls) == before


async def test_the_code_of_a_sign_in_is_in_no_log(front: Front, browser: Browser) -> None:
    """Requests are written down, by the recipe, without their query."""
    proxy = front.proxy
    assert isinstance(proxy, FrontProxy)
    before = proxy.log().count("GET")
    await signed_in(front, browser)
    callback = next(page for page in browser.seen if "/oauth2/callback?" in page.url)
    (code,) = parse_qs(urlsplit(callback.url).query)["code"]
    async with asyncio.timeout(PATIENCE):
        while (log := proxy.log()).count("GET") < before + 4:
            await asyncio.sleep(0.05)
    assert code not in log
    assert "code=" not in log


async def test_the_policy_denies_with_the_gateways_own_page(front: Front, browser: Browser) -> None:
    """People see why, programs get a problem document."""
    await signed_in(front, browser, "/x", user="bob@example.com")
    page = await browser.navigate(f"{front.app}/admin/users", site="same-origin")
    assert (page.status, page.header("Content-Type")) == (403, "text/html; charset=utf-8")
    assert message("reason.denied.known", user="bob@example.com") in page.text
    problem = await browser.fetch(f"{front.app}/admin/users")
    assert (problem.status, json.loads(problem.text)["code"]) == (403, "denied")


async def test_the_page_of_a_refusal_leads_on(front: Front) -> None:
    """Behind the proxy too its buttons reach the gateway: one signs out, the other leads somebody else to the page."""
    browser, other = front.stand.browser(), front.stand.browser()
    for each in (browser, other):
        await signed_in(front, each, "/x", user="bob@example.com")
        refused = await each.goto(f"{front.app}/admin/users?all=1")
        assert message("reason.denied.known", user="bob@example.com") in refused.text
        actions = re.findall(r'<form method="post" action="([^"]*)"', refused.text)
        assert actions == ["/logout?via=page&amp;switch=/admin/users%3Fall%3D1", "/logout?via=page"]
    form = await browser.submit(refused)
    assert form.asks_for_password
    page = await browser.submit(form, username=ALICE, password="demo")
    assert (page.status, page.path, page.text) == (200, "/admin/users?all=1", "the application")
    assert front.told("X-Auth-Request-User") == [ALICE]
    left = await other.navigate(front.app + actions[1], method="POST", body="", site="same-origin")
    receipt = await other.follow(left, site="same-origin")
    assert (receipt.status, receipt.path) == (200, "/logged-out")
    assert (await other.fetch(f"{front.app}/x")).status == 401


async def test_websockets_are_opened_for_the_same_origin_only(front: Front, browser: Browser) -> None:
    """The handshake is decided on as a handshake."""
    await signed_in(front, browser)
    assert (await front.raw(handshake(front, browser, "https://evil.test"))).startswith(b"HTTP/1.1 403 ")
    assert (await front.raw(handshake(front, browser, front.app))).startswith(b"HTTP/1.1 101 ")
    assert [value.lower() for value in front.told("Upgrade")] == ["websocket"]
    stranger = front.stand.browser()
    assert not (await front.raw(handshake(front, stranger, front.app))).startswith(b"HTTP/1.1 101 ")


async def test_a_gateway_that_is_down_lets_nothing_pass(tmp_path: Path, front: Front) -> None:
    """5xx or a refusal, also for people who are signed in."""
    async with fronted(tmp_path, caller=front.caller) as other:
        browser = other.stand.browser()
        await signed_in(other, browser)
        other.stand.run.stop.set()
        while (await browser.fetch(f"{other.app}/api/me")).status == 200:
            await asyncio.sleep(0.02)
        before = len(other.application.calls)
        assert (await browser.fetch(f"{other.app}/api/me")).status >= 400
        assert len(other.application.calls) == before


@pytest.mark.parametrize("caller", [*CALLERS, OVER_GRPC])
async def test_r07_the_recipe_sends_the_secret(tmp_path: Path, caller: str) -> None:
    """With its line in force questions are believed, whatever a client sends; with another secret nothing passes."""
    secret, file = "0123456789abcdef0123456789abcdef", tmp_path / "caller-secret"
    file.write_text(secret)
    file.chmod(0o600)

    in_force: list[str] = []

    def recipe(text: str) -> str:
        in_force.extend(re.findall(r"#\S.*the secret", text))
        changed = re.sub(r"#(\S.*)the secret", rf"\g<1>{secret}", text)
        return changed.replace("middlewares: [ask", "middlewares: [secret, ask")

    asked = f", secret_file: {file}"
    async with fronted(tmp_path, recipe, caller=caller, asked=asked, beside=recipe) as front:
        assert len(in_force) == (2 if caller == "nginx" else 1)
        browser, own = front.stand.browser(), {"X-Gateway-Secret": "mine"}
        assert (await browser.fetch(f"{front.app}/api/me", **own)).status == 401
        await signed_in(front, browser, "/x", user="bob@example.com")
        assert (await browser.fetch(f"{front.app}/x", **own)).status == 200
        assert secret not in front.last.head.decode()
        page = await browser.navigate(f"{front.app}/admin/users")
        assert message("reason.denied.known", user="bob@example.com") in page.text
        file.write_text(secret[::-1])
        (watched,) = [each for each in front.stand.gateway.watched if each.name == "forward-auth secrets"]
        await watched.look()
        before = len(front.application.calls)
        assert (await browser.fetch(f"{front.app}/x", **own)).status == 403
        assert len(front.application.calls) == before


async def test_a_script_that_breaks_lets_nothing_pass(tmp_path: Path) -> None:
    """HAProxy goes on behind a Lua action that has failed, so the recipe lets nothing pass that the script has not."""
    broken = tmp_path / "broken.lua"
    broken.write_text('core.register_action("breaks", {"http-req"}, function(txn) error("broken") end)')

    def recipe(text: str) -> str:
        return put(
            text, {"lua.ask-gateway": "lua.breaks", "defaults\n": f"    lua-load {broken}\n\ndefaults\n"}
        )

    async with fronted(tmp_path, recipe, caller="haproxy") as front:
        browser = front.stand.browser()
        assert (await browser.navigate(f"{front.app}/x")).status == 503
        assert not front.application.calls


async def test_envoy_writes_the_cookies_of_a_pass_over_the_clients(tmp_path: Path) -> None:
    """As Envoy Gateway, Istio and kgateway have it do, which have no Lua: ours do not arrive, also where there are no others."""

    def recipe(text: str) -> str:
        handed_on = "allowed_upstream_headers: {patterns: [{prefix: x-auth-request-}"
        left = {'headers:remove("cookie")': "", "if #kept > 0 then": "if false then"}
        return put(text, {handed_on: f"{handed_on}, {{exact: cookie}}", **left})

    async with fronted(tmp_path, recipe, caller="envoy") as front:
        browser = front.stand.browser()
        await signed_in(front, browser)
        own = browser.cookie_header(front.app)
        for sent in ("{own}", "a=1; {own}; b=2", "{own}; __Host-logout=x"):
            cookies = sent.replace("{own}", own)
            head = f"GET /x HTTP/1.1\nHost: {front.host}\nCookie: {cookies}\nConnection: close\n\n"
            assert (await front.raw(head)).startswith(b"HTTP/1.1 200 ")
            assert "; ".join(front.told("Cookie")) == "; ".join(foreign(cookies))


def taken_out(caller: str) -> str:
    """A regular expression for the header names that a recipe keeps from the application."""
    if caller == "caddy":
        return _any_of(re.findall(r"header_up -(\S+)", (RECIPES / "Caddyfile").read_text().lower()))
    if caller == "haproxy":
        found = re.findall(r"del-header (\S+)(?: -m (beg))?", (RECIPES / "haproxy.cfg").read_text())
        return _any_of([name + ("*" if begins else "") for name, begins in found])
    if caller == "traefik":
        asks = yaml.safe_load((RECIPES / "traefik-routes.yaml").read_text())["http"]["middlewares"]["ask"]
        return str(asks["forwardAuth"]["authResponseHeadersRegex"])
    text = (RECIPES / "envoy.yaml").read_text()
    begins = re.findall(r"\{key_matcher: \{prefix: (\S+?)\}", text)
    return _any_of(re.findall(r"\{remove: (\S+)\}", text) + [f"{begin}*" for begin in begins])


def _any_of(patterns: list[str]) -> str:
    return "|".join(translate(each) for each in patterns)


@pytest.mark.parametrize("caller", ["caddy", "envoy", "haproxy"])
async def test_the_recipe_takes_out_whatever_the_gateway_would(caller: str) -> None:
    """What other proxies use for who somebody is, by name or by how it begins."""
    pattern = re.compile(taken_out(caller))
    names = [name.decode().replace("_", "-") for name in NAMES] + [
        begin.decode() + "x" for begin in BEGINNINGS
    ]
    assert [name for name in names if not pattern.match(name)] == []


async def test_no_header_by_which_others_say_who_it_is_arrives(front: Front, browser: Browser) -> None:
    """Sent by a client, whichever of them it is; over gRPC it is the gateway that has them taken out."""
    await signed_in(front, browser)
    names = [name.decode() for name in NAMES] + [begin.decode() + "x" for begin in BEGINNINGS]
    for at in range(0, len(names), 40):
        spoofed = "".join(f"{name}: mallory\n" for name in names[at : at + 40])
        answer = await front.raw(_as(front, browser, "GET /x HTTP/1.1", spoofed))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"mallory" not in front.last.head


def _as(front: Front, browser: Browser, line: str, more: str = "", connection: str = "close") -> str:
    """A request with the browser's cookies."""
    cookies = browser.cookie_header(front.app)
    return f"{line}\nHost: {front.host}\nCookie: {cookies}\n{more}Connection: {connection}\n\n"
