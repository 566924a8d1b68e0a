"""A browser with cookies that this release does not read: they are of before version 1, or of what is yet to come."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.core import clock
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.attempt import FORMAT as ATTEMPT
from gateway.core.session.attempt import Attempt
from gateway.core.session.cookies import (
    SealedCookie,
    attempt_cookie,
    hint_cookie,
    logout_cookie,
    session_cookie,
    ticket_cookie,
)
from tests.fakes.browser import Browser
from tests.flows.conftest import Stand
from tests.flows.stores import BOTH

pytestmark = pytest.mark.asyncio(loop_scope="module")
STORES = BOTH
Sealed = tuple[SealedCookie, dict[str, Any]]
UNKNOWN = "0123abcd"
BEFORE: list[Sealed] = [
    (session_cookie(600), {"v": 2, "i": "sid", "l": "log", "k": [], "a": 1, "s": 2, "d": 3, "x": 4, "g": 0, "r": None,
                           "t": None, "b": None, "e": {}, "p": ["https://idp", "s-1", "alice", None, [], None, {}, None, 0]}),
    (attempt_cookie(UNKNOWN), {"a": ["s" * 22, 1, "/", 0, 0, False, 0], "l": ["log", 5]}),
    (logout_cookie(600), {"h": [["okta", "pending", 0, "", 1, ""]], "c": [1, 0, 2, "", 0, True, True, "n", 0, "", "sid"], "n": [0]}),
    (hint_cookie(600, 300), {"s": "sid", "h": "hint"}),
]  # fmt: skip
TICKET = {
    "v": 1,
    "i": "sid",
    "k": "A" * 43 + "=",
    "w": ["https://idp", "s-1"],
    "l": "log",
    "a": 1,
    "s": 2,
    "x": 3,
}
TO_COME = [(cookie, {"v": 2, "Jk": ["x"]}) for cookie, _ in BEFORE]


def carry(shared: Stand, browser: Browser, cookies: list[Sealed]) -> None:
    """Put them there, under the key of this deployment."""
    gateway = shared.gateway
    for cookie, plain in cookies:
        lines = cookie.set(
            plain, gateway.ring, gateway.sessions.deployment, now=clock.now(), carried=NO_COOKIES
        )
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            browser.cookies[urlsplit(shared.app).netloc, name] = value, "Lax"


@pytest.mark.parametrize("cookies", [BEFORE, TO_COME], ids=["before version 1", "to come"])
async def test_cookies_of_another_format_are_a_way_to_sign_in(shared: Stand, cookies: list[Sealed]) -> None:
    """As if they were not there: a program hears 401, a person signs in once, and signs out; nothing fails."""
    browser, attempt = shared.browser(), Attempt("s" * 22, clock.now(), "/")
    if shared.gateway.sessions.remote:
        cookies = [(ticket_cookie(600), TICKET if cookies is BEFORE else cookies[0][1]), *cookies[1:]]
    lost = [(attempt_cookie(attempt.attempt_id), {**ATTEMPT.plain(attempt), "v": 2})]
    carry(shared, browser, [*cookies, *lost])
    assert (await browser.fetch(f"{shared.app}/api/me")).status == 401
    for path in (
        "/logged-out",
        "/oauth2/session",
        f"/oauth2/callback?code=x&state={attempt.state}",
        "/logout/hop",
    ):
        carry(shared, browser, [*cookies, *lost])
        assert (await browser.goto(f"{shared.app}{path}", until=shared.cognito)).status < 500, path
    carry(shared, browser, cookies)
    assert (await shared.sign_in(browser, "/api/me")).status == 200
    assert (await shared.sign_out(browser)).path == "/logged-out"
    assert (await browser.fetch(f"{shared.app}/api/me")).status == 401
