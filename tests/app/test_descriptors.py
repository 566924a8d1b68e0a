"""Open files are shared out, so that no client can take those of the probes or of all others."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from gateway.app.descriptors import BACKLOG, ENOUGH, RESERVED, raise_limit, shares
from tests.fakes.door import eventually
from tests.fakes.serving import serving

SMALL = 256
"""Open files: the least with which a gateway with two upstreams can still do its work."""


@given(limit=st.integers(128, ENOUGH), upstreams=st.integers(0, 20))
def test_what_is_shared_out_is_there(limit: int, upstreams: int) -> None:
    """Clients with a stream each, full pools and a full queue leave some free; nobody has none."""
    made = shares(limit, upstreams, 512)
    assert min(made.clients, made.client, made.pool, made.backlog) >= 1
    assert made.client <= max(1, made.clients // 4)
    assert made.backlog <= BACKLOG
    used = 2 * made.clients + made.pool * upstreams + made.backlog
    assert used <= limit - RESERVED[0] // 2


def test_much_room_changes_nothing() -> None:
    """Where the system lets a process open many files, the limits are those of the configuration and of the pool."""
    made = shares(ENOUGH, 4, 512)
    assert (made.pool, made.backlog) == (512, BACKLOG)
    assert made.client > 100_000


def test_the_operator_may_want_fewer_connections_than_there_is_room_for() -> None:
    """Of those one client has a quarter too; more than the system has room for nobody can have."""
    room = shares(ENOUGH, 4, 512)
    few = shares(ENOUGH, 4, 512, 100)
    assert (few.clients, few.client) == (100, 25)
    assert (few.pool, few.backlog) == (room.pool, room.backlog)
    assert shares(ENOUGH, 4, 512, 1).client == 1
    assert shares(ENOUGH, 4, 512, ENOUGH) == room


def test_the_limit_is_raised_to_the_hard_one() -> None:
    """What it starts inherits it; a hard limit that is small is told in the log, with what to do."""
    code = (
        "import resource, sys; from gateway.app.descriptors import raise_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])));"
        "print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )

    def said(hard: int) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", code, str(hard)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1], done.stdout + done.stderr

    numbers, told = said(1_024)
    assert numbers == "1024 1024"
    assert "few_open_files" in told
    assert "LimitNOFILE" in told
    assert "few_open_files" not in said(5_000)[1]


def test_a_limit_that_is_high_enough_stays() -> None:
    """Nothing is lowered."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_limit() >= min(before[0], ENOUGH)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def idle_connections(port: int, count: int) -> list[asyncio.StreamWriter]:
    opened = await asyncio.gather(
        *(asyncio.open_connection("127.0.0.1", port) for _ in range(count)), return_exceptions=True
    )
    return [each[1] for each in opened if not isinstance(each, BaseException)]


async def test_one_client_takes_no_replica_down(tmp_path: Path) -> None:
    """More idle connections than the process can open files: somebody who works goes on, the probes answer, and the log
    says that it happened.
    """
    async with serving(tmp_path, open_files=SMALL) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        host = urlsplit(gateway.app)
        assert host.port is not None
        slow = asyncio.create_task(browser.fetch(f"{gateway.app}/api/slow"))
        await gateway.application.asked.wait()
        flood = await idle_connections(host.port, 2 * SMALL)
        try:
            assert (await gateway.probe("/readyz"))[0] == 200
            assert (await gateway.probe("/livez"))[0] == 200
            assert (await browser.fetch(f"{gateway.app}/api/quick")).status == 200
            gateway.application.slow.set()
            assert (await slow).status == 200
            await eventually(lambda: gateway.lines("idle_connections_closed"))
            closed = gateway.lines("idle_connections_closed")
            assert len(closed) < SMALL / 4  # a line in a while, and none for each connection
            assert closed[0]["client"] == "127.0.0.1"
        finally:
            for each in flood:
                each.close()
