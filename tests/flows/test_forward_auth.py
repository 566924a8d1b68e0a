"""Forward-auth with the real nginx and the recipe as it is shipped: signing in and out, refusals, sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import frame, read_frame
from tests.flows.front import ALICE, Front, fronted, handshake, signed_in
from tests.flows.stores import BOTH, Store

STORES = BOTH


def with_example(recipe: str) -> str:
    """The recipe with the example location, which it shows in a comment, made real."""
    lines = recipe.splitlines()
    shown = [line for line in lines if line.startswith("    #   ")]
    assert shown[0] == "    #   location /api/live {"
    return "\n".join(line.replace("    #   ", "    ") if line in shown else line for line in lines)


@pytest.fixture
async def front(
    tmp_path: Path, request: pytest.FixtureRequest, store: Callable[[Path], Store]
) -> AsyncIterator[Front]:
    async with fronted(tmp_path, getattr(request, "param", str), store(tmp_path)) as running:
        yield running


@pytest.fixture
async def browser(front: Front) -> Browser:
    return front.stand.browser()


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
    opening = await front.raw(handshake(front, browser, "https://evil.test"))
    assert opening.startswith(b"HTTP/1.1 403 ")
    assert len(front.application.calls) == before
    ours = await browser.fetch(f"{front.app}/api/orders", method="POST", body="x=1", Origin=front.app)
    assert (ours.status, ours.text) == (200, "x=1")


async def test_a_websocket_of_the_same_origin_is_opened(front: Front, browser: Browser) -> None:
    """The handshake passes; an upgrade to anything else than WebSocket is not offered to the application."""
    await signed_in(front, browser)
    assert (await front.raw(handshake(front, browser, front.app))).startswith(b"HTTP/1.1 101 ")
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
    assert await asyncio.wait_for(read_frame(reader), PATIENCE) == (1, b"still here")
    writer.close()


@pytest.mark.parametrize("front", [with_example], indirect=True)
async def test_r30_a_socket_that_the_gateway_carries_ends_with_the_session(
    front: Front, browser: Browser
) -> None:
    """The recipe's example location: checked by the gateway itself, and closed with 4401 at sign-out."""
    await signed_in(front, browser)
    refused = await front.raw(handshake(front, browser, "https://evil.test"))
    assert refused.startswith(b"HTTP/1.1 403 ")
    reader, writer = await _open_socket(front, browser)
    await front.stand.sign_out(browser)
    opcode, payload = 0, b""
    while opcode != 8:
        opcode, payload = await asyncio.wait_for(read_frame(reader), PATIENCE)
    assert payload[:2] == (4401).to_bytes(2)
    writer.close()


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
    assert again.asks_for_password
    assert len(front.application.calls) == before


async def test_a_navigation_during_the_sign_out_waits(front: Front, browser: Browser) -> None:
    """While the chain is under way a navigation sees the waiting page, not a sign-in and not the application."""
    await signed_in(front, browser)
    await browser.navigate(f"{front.app}/logout", method="POST", body="", site="same-origin")
    page = await browser.goto(f"{front.app}/reports/q3")
    assert (page.status, page.path.partition("?")[0]) == (401, "/oauth2/start")
    assert "/logout/continue" in page.text


async def test_the_policy_denies(front: Front, browser: Browser) -> None:
    """A signed-in user without the right gets 403: people a page that says who they are, programs a problem document."""
    await signed_in(front, browser, "/", user="bob@example.com")
    page = await browser.navigate(f"{front.app}/admin/users", site="same-origin")
    assert (page.status, page.header("Content-Type")) == (403, "text/html; charset=utf-8")
    assert message("reason.denied.known", user="bob@example.com") in page.text
    assert 'action="/logout?via=page&amp;switch=/admin/users"' in page.text
    assert 'action="/logout?via=page"' in page.text
    problem = await browser.fetch(f"{front.app}/admin/users")
    assert (problem.status, json.loads(problem.text)["code"]) == (403, "denied")
    assert front.last.request_line == b"GET / HTTP/1.1"


async def test_a_gateway_that_is_down_lets_nothing_pass(front: Front, browser: Browser) -> None:
    """Without an answer to its question nginx answers 5xx, also for people who are signed in."""
    await signed_in(front, browser)
    before = len(front.application.calls)
    front.stand.run.stop.set()
    async with asyncio.timeout(PATIENCE):
        while (answer := await browser.fetch(f"{front.app}/api/me")).status == 200:
            before += 1
            await asyncio.sleep(0.02)
    assert answer.status >= 500
    assert (await browser.fetch(f"{front.app}/oauth2/session")).status >= 500
    assert len(front.application.calls) == before


async def _open_socket(front: Front, browser: Browser) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.nginx.port)
    writer.write(handshake(front, browser, front.app).replace("\n", "\r\n").encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer
