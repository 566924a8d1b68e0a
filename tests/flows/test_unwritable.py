"""A state that can be read and takes nothing is out of step: nobody can tell the others that somebody signed out, but
for the workers of one host, which share a spool.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.state.redis.log import RedisLog
from tests.fakes.disk import mounted
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, standing
from tests.flows.raw import exchange, request
from tests.flows.test_many_hosts import asked, beside, comes_to, decided, signed_in
from tests.state.log_contract import within

STALLS = True


def out_of_memory(redis: RedisServer, much: bool) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", 1 if much else 0)


def without_replicas(redis: RedisServer, much: bool) -> None:
    redis.ask("CONFIG", "SET", "min-replicas-to-write", 1 if much else 0)


@pytest.fixture
async def pair(redis: RedisServer, tmp_path: Path) -> AsyncIterator[tuple[Stand, Stand]]:
    replaced = {
        f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0",
        "  - {path: /api/": "  - {path: /api/clock, url: http://127.0.0.1:9, when_stale: serve}\n  - {path: /api/",
    }
    async with (
        standing(tmp_path, extra="max_staleness: 2s\n", replaced=replaced) as first,
        beside(first, tmp_path / "gateway.yaml") as second,
    ):
        yield first, second


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "appendonly yes") as one:
        yield one


@pytest.mark.parametrize(
    ("trouble", "word"), [(out_of_memory, "maxmemory"), (without_replicas, "min-replicas-to-write")]
)
async def test_r05_what_takes_nothing_grows_stale_at_every_instance(
    pair: tuple[Stand, Stand],
    redis: RedisServer,
    tmp_path: Path,
    trouble: Callable[[RedisServer, bool], None],
    word: str,
) -> None:
    """The one that signs out denies at once; the other, which has nothing to write, refuses all after `max_staleness`, is
    not ready and says why. When Redis takes entries again the sign-out arrives.
    """
    first, second = pair
    browser, copied = await signed_in(first)
    _, living = await signed_in(first)
    await comes_to(200, second, copied)
    trouble(redis, True)
    await first.sign_out(browser, until="/logged-out")
    assert await asked(first, copied) in {401, 503}  # never 200; on a slow machine it is stale by now

    # It says why as well, so it is not stale because the machine stopped.
    assert await within(
        PATIENCE, lambda: not second.gateway.usable and word in second.gateway.health()["state"]
    )
    assert await asked(second, copied) == 503
    (served,) = await exchange(second, request(second, "GET /api/clock HTTP/1.1", f"Cookie: {living}"))
    assert served.status == 502  # the route goes on: it came to the upstream, which is not there
    async with beside(first, tmp_path / "gateway.yaml") as late:
        assert await within(PATIENCE, lambda: late.gateway.log.age() < float("inf"))
        assert await within(PATIENCE, lambda: not late.gateway.usable)
    trouble(redis, False)
    assert await within(PATIENCE, lambda: second.gateway.usable)
    async with asyncio.timeout(PATIENCE):
        while await asked(second, copied) != 401:
            await asyncio.sleep(0.05)
    await comes_to(200, second, living)


@pytest.mark.parametrize("trouble", [out_of_memory, without_replicas, None])
async def test_r04_the_other_worker_of_the_host_hears_of_a_sign_out_that_the_state_does_not_take(
    redis: RedisServer, tmp_path: Path, trouble: Callable[[RedisServer, bool], None] | None
) -> None:
    """At once, and whoever lives goes on there; with a Redis that refuses, and with a file on a disk that is full. A worker
    that starts meanwhile knows of it too. When the state takes entries again the receipt and `/readyz` say so.
    """
    state = f"redis://127.0.0.1:{redis.port}/0" if trouble else f"sqlite://{tmp_path}/disk/state.db"
    extra = f"redis: {{spool: {tmp_path}/disk}}\nstate_spool: 64KiB\n"
    replaced = {f"sqlite://{tmp_path}/state.db": state}
    with mounted(tmp_path / "disk") as disk:
        async with (
            standing(tmp_path, extra=extra, replaced=replaced) as first,
            beside(first, tmp_path / "gateway.yaml") as second,
        ):
            browser, copied = await signed_in(first)
            _, living = await signed_in(first)
            await comes_to(200, second, copied)
            disk.fill()
            if trouble:
                trouble(redis, True)
            await first.sign_out(browser, until="/logged-out")
            while first.gateway.log.pending == 0:  # a log on a full disk has room for a while
                browser, copied = await signed_in(first)
                await first.sign_out(browser, until="/logged-out")
            assert [await decided(each, copied) for each in (first, second)] == [401, 401]
            assert await decided(second, living) == 200
            async with beside(first, tmp_path / "gateway.yaml") as late:
                assert await decided(late, copied) == 401
                assert await decided(late, living) == 200
            disk.free()
            if trouble:
                trouble(redis, False)
            assert await within(PATIENCE, lambda: first.gateway.log.pending == 0)
            assert await within(PATIENCE, lambda: second.gateway.health()["state"].startswith("ok"))
            assert [await decided(each, copied) for each in (first, second)] == [401, 401]


async def test_idle_instances_together_write_once_in_a_while(redis: RedisServer) -> None:
    """To see whether they could, and not for each of them."""
    logs = [RedisLog(redis.place(), beat=0.05) for _ in range(4)]
    for log in logs:
        await log.open()

    def written() -> int:
        return int(redis.ask("INFO", "commandstats")["cmdstat_hset"]["calls"])

    before, (began, _) = written(), redis.ask("TIME")
    assert await within(PATIENCE, lambda: written() >= before + 3)
    found, (ended, _) = written() - before, redis.ask("TIME")
    assert found <= ended - began + 2  # once a second, by its own clock
    for log in logs:
        await log.close()
