"""One running door with a live session and a recording application behind it, for all tests of this directory.

Nothing here knows how the door reads HTTP: the tests see a host, a port, a cookie and what reached the application.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from gateway.demo import configuration
from tests.conformance.nginx import RECIPE, LiveNginx
from tests.conformance.recorder import Recorder
from tests.conformance.wire import Door
from tests.fakes.nginx import Nginx
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.flows.conftest import standing

BODY_LIMIT = 1 << 20
AMPLE = "connect: 60s, upstream_keep_alive: 60s"
"""Of ``timeouts``, which pass in earnest at a door that many tests share: nothing here has to be quicker."""


async def _serve(
    directory: Path,
    upstream: Recorder,
    routes: str,
    extra: str,
    opened: list[Door],
    ready: threading.Event,
    stop: list[object],
) -> None:
    replaced = {f"file://{configuration.SPA}": upstream.url, "builtin:groups": "builtin:spa"}
    if routes:
        replaced["upstreams:\n"] = f"upstreams:\n{routes}"
    over = asyncio.Event()
    async with standing(directory, extra=extra, replaced=replaced) as stand:
        browser = stand.browser()
        page = await stand.sign_in(browser, "/")
        assert page.text == "application", page.text
        authority = stand.app.removeprefix("http://")
        cookie = browser.cookie_header(stand.app)
        pools = stand.gateway.forwarder._pools

        def waiting() -> int:
            return sum(len(pool._waiting) for pool in pools.values())

        opened.append(Door("127.0.0.1", stand.port, authority, cookie, upstream, BODY_LIMIT, waiting))
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        ready.set()
        await over.wait()


@contextmanager
def running(
    directory: Path,
    *,
    routes: str = "",
    extra: str = f"timeouts: {{{AMPLE}}}\nlimits: {{body: {BODY_LIMIT}}}\n",
) -> Iterator[Door]:
    """A door in a thread and an event loop of its own, the loop that production runs on.

    :param routes: further items of ``upstreams``, each a line. :param extra: further sections.
    """
    upstream = Recorder()
    opened: list[Door] = []
    stop: list[object] = []
    faults: list[BaseException] = []
    ready = threading.Event()

    def run() -> None:
        try:
            uvloop.run(_serve(directory, upstream, routes, extra, opened, ready, stop))
        except BaseException as error:
            faults.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="door")
    thread.start()
    ready.wait(PATIENCE)
    try:
        assert opened, faults
        yield opened[0]
    finally:
        for each in stop:
            each()  # type: ignore[operator]  # filled by the thread, which the checker cannot see
        thread.join(PATIENCE)
        upstream.close()
    assert not faults, faults


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The door, for every test; none of them changes it."""
    with running(tmp_path_factory.mktemp("door")) as opened:
        yield opened
        assert opened.upstream.faults() == []


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNginx]:
    """A proxy by other people, with an application of its own behind it."""
    upstream, port = Recorder(), free_port()
    made = Nginx(
        tmp_path_factory.mktemp("nginx"), RECIPE, {"UPSTREAM": upstream.url, "PORT": str(port)}, port
    )
    with asyncio.Runner() as runner:
        runner.run(made.start())
        yield LiveNginx(port, upstream)
        runner.run(made.close())
    upstream.close()
