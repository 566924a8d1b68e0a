"""Cookies as browsers and siblings send them, over real sockets (rules R17 and R18, pain P23)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand
from tests.flows.raw import exchange, request
from tests.flows.stores import BOTH

pytestmark = pytest.mark.asyncio(loop_scope="module")
STORES = BOTH


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(shared: Stand) -> str:
    """The value of a living session's cookie."""
    browser = shared.browser()
    await shared.sign_in(browser, "/api/me")
    return next(value for (_, name), (value, _) in browser.cookies.items() if name == "__Host-session")


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


async def status(shared: Stand, *cookies: bytes) -> int:
    """The status of a gated request with these raw Cookie headers."""
    head, _, rest = request(shared).partition(b"\r\n")
    lines = b"".join(b"Cookie: " + cookie + b"\r\n" for cookie in cookies)
    (answer,) = await exchange(shared, head + b"\r\n" + lines + rest)
    return answer.status


async def test_the_session_opens(shared: Stand, session: str) -> None:
    """Alone, among others, in one header or several, with white space around."""
    value = session.encode()
    assert await status(shared, b"__Host-session=" + value) == 200
    assert await status(shared, b"a=b;\t__Host-session=" + value + b" ; c=d") == 200
    assert await status(shared, b"a=b", b"__Host-session=" + value) == 200
    assert await status(shared, b"__Host-session=" + value, b"__Host-session=" + value) == 200


@pytest.mark.parametrize(
    "name",
    ["\u2000__Host-session", "\u00a0__Host-session", "\x85__Host-session", "\u3000__Host-session", "__host-session",
     "__HOST-SESSION", '"__Host-session"', "__Host-sessio\u212a", "\ufeff__Host-session", "=__Host-session",
     "__Host-session\u2000", "__Secure-session", "__Host-session_2", "__Host-session_", "__Host-logout"],
)  # fmt: skip
async def test_r17_a_siblings_lookalike_is_no_session(shared: Stand, session: str, name: str) -> None:
    """A living value under any other spelling of the name opens nothing."""
    assert await status(shared, f"{name}={session}".encode()) == 401


async def test_r17_a_lookalike_beside_the_session_changes_nothing(shared: Stand, session: str) -> None:
    """It can neither replace nor spoil the real one."""
    value = session.encode()
    for planted in ("\u2000__Host-session=x", "__host-session=x", "=__Host-session=x", "__Host-session"):
        assert await status(shared, planted.encode() + b"; __Host-session=" + value) == 200


async def test_p23_two_different_sessions_are_none_and_both_are_cleared(
    shared: Stand, session: str, nobody: Browser
) -> None:
    """No guess which one is meant; the answer expires every piece, so the next sign-in starts clean."""
    both = f"__Host-session={session}; __Host-session=other"
    for mode in ("cors", "navigate"):
        answer = await nobody.send(
            "GET", f"{shared.app}/api/me", {"Sec-Fetch-Mode": mode, "Cookie": both}, None
        )
        assert answer.status == (302 if mode == "navigate" else 401)
        assert {line.partition("=")[0] for line in answer.set_cookies()} >= {
            "__Host-session",
            "__Host-session_1",
        }
        assert all("Max-Age=0" in line for line in answer.set_cookies())


async def test_r26_a_cookie_of_an_unknown_key_is_left_alone(shared: Stand, nobody: Browser) -> None:
    """It may be another replica's during a key's roll-out: no session here, but nothing is expired."""
    answer = await nobody.send(
        "GET",
        f"{shared.app}/api/me",
        {"Sec-Fetch-Mode": "navigate", "Cookie": "__Host-session=" + "A" * 300},
        None,
    )
    assert answer.status == 302
    assert answer.set_cookies() == []


async def test_r26_a_cookie_of_another_deployment_is_nothing(shared: Stand, session: str) -> None:
    """The value of one purpose under the name of another is a forgery."""
    assert await status(shared, f"__Host-login_0123abcd={session}; __Host-logout={session}".encode()) == 401


async def test_cve_2026_47775_every_bad_cookie_gets_the_same_answer(shared: Stand, session: str) -> None:
    """Flipped, cut, padded or of another key: one status, one body, no hint."""
    bodies = set()
    flipped = session[:40] + ("A" if session[40] != "A" else "B") + session[41:]
    for value in (flipped, session[:-1], session + "A", "A" * 200, "", session[::-1], "%%%"):
        (answer,) = await exchange(
            shared, request(shared, "GET /api/me HTTP/1.1", f"Cookie: __Host-session={value}")
        )
        bodies.add((answer.status, answer.body))
    assert len(bodies) == 1


async def test_r18_every_cookie_has_a_host_name_and_the_whole_path(shared: Stand) -> None:
    """Attempt, session and chain, set and cleared: ``__Host-``, ``Path=/``, Secure, no Domain, as browsers demand."""
    browser = Browser.open()
    form = await browser.goto(f"{shared.app}/api/me")
    attempts = browser.cookie_names(shared.app)
    assert len(attempts) == 1
    assert all(re.fullmatch("__Host-login_[0-9a-f]{8}", name) for name in attempts)
    await browser.submit(form, username="alice@example.com", password="demo")
    assert "__Host-session" in browser.cookie_names(shared.app)
    answer = await browser.navigate(f"{shared.app}/logout", method="POST", body="", site="same-origin")
    assert browser.cookie_names(shared.app) == {"__Host-logout"}
    lines = answer.set_cookies()
    assert {line.partition("=")[0].partition("_1")[0] for line in lines} >= {
        "__Host-session",
        "__Host-logout",
    }
    for line in lines:
        assert line.startswith("__Host-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(line.split("; "))
        assert "domain=" not in line.lower()
    await browser.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_r18_the_other_name_of_logout_is_a_307(shared: Stand, nobody: Browser, method: str) -> None:
    """A cookie of ``Path=/logout`` is not sent there, so it sends on, method and query kept, and ends nothing itself."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = await nobody.send(method, f"{shared.app}/oauth2/sign_out?to=x", headers, None)
    assert (answer.status, answer.header("Location")) == (307, "/logout?to=x")
    assert answer.set_cookies() == []
