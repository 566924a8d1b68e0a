"""What a logout ends besides the cookie, and that once is enough (design section 6)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.state.redis.log import RedisLog
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.browser import Browser, Seen
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, held, later
from tests.flows.revoked import of_tokens
from tests.flows.stores import BOTH, of_files

pytestmark = pytest.mark.asyncio(loop_scope="module")
STORES = BOTH
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
FETCH = {
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
    "Accept": "*/*",
}


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    """Somebody signed in."""
    made = Browser.open()
    await shared.sign_in(made, "/api/me")
    yield made
    await made.close()


async def post(shared: Stand, browser: Browser) -> Seen:
    return await browser.navigate(f"{shared.app}/logout", method="POST", body="", site="same-origin")


async def test_a_dead_cookie_sent_again_and_again_makes_no_entries(shared: Stand, browser: Browser) -> None:
    """One logout, one entry and one revocation, however often a copy of the cookie asks for more."""
    copied = browser.cookie_header(shared.app)
    await post(shared, browser)
    await eventually(
        lambda: not shared.gateway.log.pending
    )  # a busy disk may take longer than the answer waits
    position = shared.gateway.log.index.position
    thief = shared.browser()
    for _ in range(5):
        headers = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Cookie": copied}
        assert (await thief.send("POST", f"{shared.app}/logout", headers, None)).status == 303
    await eventually(lambda: not shared.gateway.log.pending)
    assert shared.gateway.log.index.position == position


async def test_the_refresh_token_is_revoked_beside_the_logout(shared: Stand, browser: Browser) -> None:
    """Cognito hears of it when the browser is back, and slowness there delays nothing."""
    with held(shared.gateway.provider, "revoke"):
        answer = await post(shared, browser)
        end = await browser.follow(answer, site="same-origin")
        assert of_tokens(shared)[-1] is False
    assert (answer.status, end.path) == (303, "/logged-out")
    await eventually(lambda: of_tokens(shared)[-1])


async def test_live_connections_end_with_the_session(shared: Stand, browser: Browser) -> None:
    """A stream that is open when the session ends is broken off, not completed."""
    headers = {**FETCH, "Cookie": browser.cookie_header(shared.app)}
    async with browser.session.get(f"{shared.app}/api/clock", headers=headers) as stream:
        assert await stream.content.readany()
        await post(shared, browser)
        with pytest.raises(Exception, match=r"payload|Connection|disconnected|closed"):
            await asyncio.wait_for(stream.content.read(), PATIENCE)


@of_files
async def test_live_connections_end_before_the_disk_has_answered(shared: Stand, browser: Browser) -> None:
    """A disk that hangs delays the answer to the logout by its deadline, and nothing else."""
    log, hanging = shared.gateway.log, threading.Event()
    assert isinstance(log, SqliteLog)
    files: Any = log._files
    true, deadline = files.write, log._deadline

    def slow(*given: Any) -> Any:
        hanging.wait(PATIENCE)
        return true(*given)

    headers = {**FETCH, "Cookie": browser.cookie_header(shared.app)}
    files.write, log._deadline = slow, PATIENCE
    try:
        async with browser.session.get(f"{shared.app}/api/clock", headers=headers) as stream:
            assert await stream.content.readany()
            leaving = asyncio.create_task(post(shared, browser))
            with pytest.raises(Exception, match=r"payload|Connection|disconnected|closed"):
                await asyncio.wait_for(stream.content.read(), PATIENCE)
            assert not leaving.done()
            assert (await browser.send("GET", f"{shared.app}/api/me", headers, None)).status == 401
    finally:
        hanging.set()
        files.write, log._deadline = true, deadline
    assert (await leaving).status == 303


async def test_two_clicks_at_once_are_one_logout_and_durable(shared: Stand, browser: Browser) -> None:
    """The second finds the first one's entry on its way to the log, and does not call it lost."""
    copies = [Browser(browser.session, dict(browser.cookies), list(browser.seen)) for _ in range(3)]
    log = shared.gateway.log
    assert isinstance(log, SqliteLog | RedisLog)
    position, deadline = log.index.position, log._deadline
    log._deadline = PATIENCE  # a busy machine is no finding
    try:
        await asyncio.gather(*(post(shared, copy) for copy in copies))
    finally:
        log._deadline = deadline
    assert shared.gateway.log.index.position == position + 1
    for copy in copies:
        told = await copy.fetch(f"{shared.app}/logged-out", Accept="application/json")
        assert '"durable": true' in told.text


CLEARING = {"logout:\n": 'logout:\n  clear_site_data: ["cache", "storage"]\n'}


@pytest.mark.parametrize("stand", [{"replaced": CLEARING}], indirect=True)
@pytest.mark.asyncio(loop_scope="function")
async def test_r27_site_data_is_cleared_only_where_the_chain_has_just_ended(stand: Stand) -> None:
    """Not before it is closed, at once when it is, and not 61 seconds after: an old receipt clears nothing anew."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    assert (await browser.goto(f"{stand.app}/logged-out")).header("Clear-Site-Data") == ""
    answer = await post(stand, browser)
    assert (await browser.navigate(f"{stand.app}/logged-out")).header("Clear-Site-Data") == ""
    end = await browser.follow(answer, site="same-origin")
    assert end.path == "/logged-out"
    assert end.header("Clear-Site-Data") == '"cache", "storage"'
    with later(61):
        old = await browser.navigate(f"{stand.app}/logged-out")
        assert (old.status, old.header("Clear-Site-Data")) == (200, "")
