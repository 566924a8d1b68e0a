"""Front-channel logout in real browsers: a frame of another site, to which no cookie of ours comes along."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.web.pages.catalogue import message
from tests.browser.driver import Mode, shows
from tests.browser.person import Person, replayed, running
from tests.flows.conftest import Stand, standing

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """The gateway signs in at Okta itself, which frames its applications when somebody signs out there."""
    async with standing(tmp_path, federation="okta") as running:
        running.set(signout_fans_out=True)
        yield running


@pytest.mark.parametrize("mode", [Mode.BLOCKING, Mode.PRIVATE], ids=lambda mode: mode.name.lower())
async def test_a_sign_out_at_okta_ends_the_session_here(person: Person) -> None:
    """The frame is let in by its policy and works without a cookie; the session is dead, and the open tab leaves."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    copied = await tab.cookies()
    assert await replayed(stand, copied) == 200
    await running(tab)
    other = await person.tab()
    await other.open(f"{stand.okta}/login/signout")
    await shows(tab, message("session_ended.title"), message("page.sign_in_again"))
    assert await replayed(stand, copied) == 401
    (entry,) = stand.gateway.log.index.live(clock.now())
    assert entry.reason == "frontchannel"
    await tab.open(f"{stand.app}/reports")
    assert set(await person.receipt(tab)) == {message("page.this_application"), "Okta"}
