"""A page of ours that comes in place of a file: no browser keeps it under the file's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import ChromiumTab
from tests.browser.driver import Tab, eventually, shows
from tests.browser.firefox import FirefoxTab
from tests.browser.person import SESSION_COOKIE, Person
from tests.fakes.upstream import Call, FakeUpstream, reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = (
    b'<!doctype html><title>x</title><h1>Files</h1><a id="get" href="/other/figures.csv" download>Figures</a>'
)
FIGURES = b"year,figure\n2026,7\n"
SAVE_HERE = """
Services.prefs.setStringPref("browser.download.dir", arguments[0]);
Services.prefs.setIntPref("browser.download.folderList", 2);
Services.prefs.setBoolPref("browser.download.alwaysOpenPanel", false);
"""


async def application(call: Call) -> None:
    kind = b"text/csv" if b".csv" in call.request_line else b"text/html"
    await call.send(reply(FIGURES if kind == b"text/csv" else PAGE, b"Content-Type: " + kind))


@pytest_asyncio.fixture(loop_scope="session")
async def other() -> AsyncIterator[FakeUpstream]:
    """An application with a file to download."""
    upstream = await FakeUpstream(application).start()
    yield upstream
    await upstream.close()


@pytest.fixture
def product(other: FakeUpstream) -> dict[str, str]:
    return {"upstreams:\n": f"upstreams:\n  - {{path: /other/, url: {other.url}}}\n"}


async def fetch_file(tab: Tab, into: Path, *, signed_in: bool) -> None:
    """Click the link, and wait for what comes of it: what is saved is in ``into`` then."""
    if isinstance(tab, ChromiumTab):
        async with tab._page.expect_download() as begun:
            await tab.click("#get")
        download = await begun.value
        if await download.failure() is None:
            await download.save_as(into / download.suggested_filename)
        return
    assert isinstance(tab, FirefoxTab)
    with_chrome = lambda driver: driver.context(driver.CONTEXT_CHROME)  # noqa: E731

    def save_here(driver: object) -> None:
        with with_chrome(driver):
            driver.execute_script(SAVE_HERE, str(into))  # type: ignore[attr-defined]  # Selenium's

    await tab._do(save_here)
    await tab.click("#get")
    if signed_in:
        await eventually(lambda: _found(into), bool, what="the file is saved")
    else:
        await eventually(tab.cookies, _has_attempt, what="the sign-in page has been answered")


async def _found(into: Path) -> bool:
    """Under a name of its own: while it comes, Firefox has an empty file of that name and a ``.part`` beside it."""
    kinds = {path.suffix for path in into.iterdir()}
    return ".csv" in kinds and ".part" not in kinds and (into / "figures.csv").read_bytes() == FIGURES


def _has_attempt(cookies: object) -> bool:
    return "__Host-login_" in str(cookies)


async def test_the_sign_in_page_is_not_saved_as_the_file(person: Person, tmp_path: Path) -> None:
    """Firefox asks for a download link as for a page, and takes whatever comes with a status below 400."""
    into = tmp_path / "saved"
    into.mkdir()
    await person.has_signed_in("/reports")
    tab = await person.tab("/other/list")
    await shows(tab, "Files")
    await person.profile.lose_cookie(person.stand.app, SESSION_COOKIE)
    await fetch_file(tab, into, signed_in=False)
    browser = person.stand.browser()
    await person.stand.sign_in(browser, "/reports")
    await person.profile.take(browser.kept())
    await fetch_file(tab, into, signed_in=True)
    assert [(path.name, path.read_bytes()) for path in into.iterdir()] == [("figures.csv", FIGURES)]
    await shows(tab, "Files")
