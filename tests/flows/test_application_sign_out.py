"""The application's own sign-out as a sign-out of everything (`upstreams[].sign_out_on`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.upstream import FakeUpstream, always, reply
from tests.flows.conftest import Stand, standing

SIGN_OUT = "/own/sign-out"


@pytest.fixture
async def application() -> AsyncIterator[FakeUpstream]:
    clears = (b'Clear-Site-Data: "*"', b"Set-Cookie: own=; Max-Age=0")
    made = await FakeUpstream(always(reply(b"bye", b"Content-Type: text/plain", *clears))).start()
    yield made
    await made.close()


@pytest.fixture
async def stand(tmp_path: Path, application: FakeUpstream) -> AsyncIterator[Stand]:
    own = f"  - {{path: /own/, url: {application.url}, sign_out_on: [{SIGN_OUT}]}}\n"
    async with standing(tmp_path, replaced={"upstreams:\n": f"upstreams:\n{own}"}) as running:
        yield running


@pytest.mark.parametrize("by", ["fetch", "navigation"])
async def test_it_ends_the_session_and_begins_the_chain(
    stand: Stand, application: FakeUpstream, by: str
) -> None:
    """The application hears of it and answers; a copy of the cookie is dead; the next navigation walks the chain."""
    browser = stand.browser()
    await stand.sign_in(browser, "/own/x")
    copied = browser.cookie_header(stand.app)
    if by == "fetch":
        answer = await browser.fetch(stand.app + SIGN_OUT, method="POST", body="")
    else:
        answer = await browser.navigate(stand.app + SIGN_OUT, site="same-origin")
    assert (answer.status, answer.text) == (200, "bye")
    assert application.calls[-1].values(b"x-auth-request-email") == [b"alice@example.com"]
    assert "own=; Max-Age=0" in answer.set_cookies()
    assert "cookies" not in answer.header("Clear-Site-Data")
    assert "__Host-session" not in browser.cookie_names(stand.app)
    headers = {"Cookie": copied, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    assert (await stand.browser().send("GET", f"{stand.app}/own/x", headers, None)).status == 401
    end = await browser.goto(f"{stand.app}/own/x")
    assert end.path == "/logged-out"


async def test_elsewhere_a_request_of_the_application_signs_nobody_out(stand: Stand) -> None:
    """Neither another path, nor a fetch by GET of this one."""
    browser = stand.browser()
    await stand.sign_in(browser, "/own/x")
    await browser.fetch(f"{stand.app}{SIGN_OUT}/not", method="POST", body="")
    await browser.fetch(f"{stand.app}{SIGN_OUT}")
    assert (await browser.fetch(f"{stand.app}/own/x")).status == 200
