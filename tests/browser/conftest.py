"""Browsers that live as long as the test session, a product and a profile for each test."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.demo.build import node_and_npm
from tests.browser.authority import Authority
from tests.browser.chromium import Chromium
from tests.browser.driver import BrowserDriver, Mode, visiting
from tests.browser.firefox import Firefox
from tests.browser.person import Person
from tests.browser.world import World
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - how fast a machine is decides no test
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, standing

HERE = Path(__file__).parent

BROWSERS = [
    pytest.param("chromium", marks=pytest.mark.xdist_group("chromium")),
    pytest.param("firefox", marks=pytest.mark.xdist_group("firefox")),
]


LONGEST = 5 * PATIENCE
"""Seconds that a test may take before it is told to stop. What it has opened is then closed, so that the tests after it
find the browser and the servers as they should be; the limit for all tests stops the event loop where it stands.
"""


def in_time(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., Coroutine[None, None, None]]:
    """The test, which is cancelled when it hangs."""

    @functools.wraps(test)
    async def within(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(LONGEST):
            await test(*args, **kwargs)

    return within


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test of a module that says ``IN_TURN = True`` in one browser, in turn; ``make windows`` runs the others.

    None of this folder hangs for longer than `LONGEST`.
    """
    places: dict[str, int] = {}
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and item.path.parent == HERE
            and inspect.iscoroutinefunction(item.obj)
        ):
            item.obj = in_time(item.obj)
        if isinstance(item, pytest.Function) and getattr(item.module, "IN_TURN", False):
            name = str(item.callspec.params["browser"])
            place = places.setdefault(item.nodeid.replace(name, ""), len(places))
            if name != ("chromium", "firefox")[place % 2]:
                item.add_marker(pytest.mark.large)


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts for pages, of the versions that package.json pins."""
    directory = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(Path(__file__).parent / name, directory)
    node, npm = node_and_npm()
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    command: list[str | Path] = [node, npm, "ci", "--prefer-offline"]
    run = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return directory / "node_modules"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the names of the TLS world."""
    return Authority.make(tmp_path_factory.mktemp("authority"))


class Programs:
    """Browser programs, each started when it is needed first."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._started: dict[str, BrowserDriver] = {}

    async def started(self, name: str) -> BrowserDriver:
        """:param name: ``chromium`` or ``firefox``."""
        if name not in self._started:
            self._started[name] = await (Chromium if name == "chromium" else Firefox).start(self._authority)
        return self._started[name]

    async def close(self) -> None:
        for driver in self._started.values():
            await driver.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def programs(authority: Authority) -> AsyncIterator[Programs]:
    """Until the end: a start takes seconds."""
    made = Programs(authority)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=BROWSERS)
async def browser(request: pytest.FixtureRequest, programs: Programs) -> BrowserDriver:
    """Chromium, then Firefox; each in a worker of its own when there are several."""
    return await programs.started(request.param)


@pytest.fixture
def mode() -> Mode:
    """How other sites' cookies are treated; tests that try several parametrise it."""
    return Mode.BLOCKING


@pytest.fixture
def world() -> World:
    """Where it happens; tests that go to several parametrise it."""
    return World.LOCALHOST


@pytest.fixture
def product() -> dict[str, str]:
    """Pieces of the gateway's configuration and what to put there instead."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def stand(
    tmp_path: Path, world: World, product: dict[str, str], authority: Authority
) -> AsyncIterator[Stand]:
    """The whole product, on free ports, with nobody signed in."""
    async with standing(tmp_path, **world.product(authority, product)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def person(stand: Stand, browser: BrowserDriver, mode: Mode) -> AsyncIterator[Person]:
    """Somebody whose browser has never been anywhere."""
    async with visiting(browser, mode) as profile:
        yield Person(stand, profile)
