"""Browsers that live as long as the test session, a product and a profile for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.driver import BrowserDriver, Mode
from tests.browser.firefox import Firefox
from tests.browser.person import Person
from tests.flows.conftest import Stand, standing

BROWSERS = [
    pytest.param("chromium", marks=pytest.mark.xdist_group("chromium")),
    pytest.param("firefox", marks=pytest.mark.xdist_group("firefox")),
]


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=BROWSERS)
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[BrowserDriver]:
    """Chromium, then Firefox; each in a worker of its own when there are several."""
    driver: BrowserDriver = await (Chromium if request.param == "chromium" else Firefox).start()
    yield driver
    await driver.close()


@pytest.fixture
def mode() -> Mode:
    """How other sites' cookies are treated; tests that try several parametrise it."""
    return Mode.BLOCKING


@pytest.fixture
def product() -> dict[str, str]:
    """What to run; see ``standing``. Tests parametrise it."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def stand(tmp_path: Path, product: dict[str, str]) -> AsyncIterator[Stand]:
    """The whole product on names that are three sites to a browser."""
    async with standing(tmp_path, **product) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def person(stand: Stand, browser: BrowserDriver, mode: Mode) -> AsyncIterator[Person]:
    """Somebody whose browser has never been anywhere."""
    profile = await browser.profile(mode)
    yield Person(stand, profile)
    await profile.close()
