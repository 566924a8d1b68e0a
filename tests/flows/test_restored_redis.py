"""A Redis whose files were restored from an older copy while no instance was there: one session proves it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.state.redis import mirror as redis_mirror
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, standing
from tests.flows.test_many_hosts import asked, beside, signed_in
from tests.state.log_contract import within

PEOPLE = 10


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "appendonly yes") as one:
        yield one


@pytest.fixture(params=["cookie", "ticket"])
async def first(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Stand]:
    """An instance with everything around it; sessions are in their cookies, or in Redis as well."""
    replaced = {
        f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0",
        "key_files: [session-key]": f"key_files: [session-key]\n  store: {request.param}",
    }
    async with standing(tmp_path, replaced=replaced) as stand:
        yield stand


async def stopped(stand: Stand) -> None:
    log = stand.gateway.log
    stand.run.stop.set()
    assert await within(PATIENCE, lambda: not vars(log)["_tasks"] and not vars(log)["_links"])


async def statuses(stand: Stand, cookies: list[str]) -> set[int]:
    return set(await asyncio.gather(*(asked(stand, cookie) for cookie in cookies)))


async def test_r04_a_restored_redis_is_proven_by_one_session(
    first: Stand, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten sign out after the copy was made, and one more signs in. Two instances start on what was restored: as soon as
    that one comes nobody is let in there, and then everybody signs in again, at both.
    """
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.3)
    people = [await signed_in(first) for _ in range(PEOPLE)]
    copied = [cookie for _, cookie in people]
    redis.stop()
    shutil.copytree(tmp_path / "redis", tmp_path / "copy")
    redis.start()
    log = first.gateway.log
    assert await within(PATIENCE, lambda: log.health().startswith("ok"))
    for browser, _ in people:
        await first.sign_out(browser, until="/logged-out")
    assert await within(PATIENCE, lambda: log.pending == 0)
    assert await statuses(first, copied) == {401}
    _, last = await signed_in(first)
    await stopped(first)
    redis.stop()
    shutil.rmtree(tmp_path / "redis")
    shutil.copytree(tmp_path / "copy", tmp_path / "redis")
    redis.start()

    async with AsyncExitStack() as opened:
        instances = [
            await opened.enter_async_context(beside(first, tmp_path / "gateway.yaml")) for _ in range(2)
        ]
        before = {stand.gateway.log.log_id for stand in instances}
        assert len(before) == 1
        async with asyncio.timeout(PATIENCE):
            while await asked(instances[0], last) == 200:
                await asyncio.sleep(0.05)  # Redis could not be asked in time
            while await asked(instances[0], last) != 401:
                assert await statuses(instances[0], copied) <= {401, 503}
        logs = [stand.gateway.log for stand in instances]
        assert await within(PATIENCE, lambda: len({log.log_id for log in logs} - before) == 1)
        assert await within(PATIENCE, lambda: {log.log_id for log in logs}.isdisjoint(before))
        for stand in instances:
            assert await statuses(stand, copied) == {401}
        told = [line for stand in instances for line in _renewals(stand)]
        assert told == ['gateway_state_log_renewals_total{cause="session"} 1.0']
        assert any("it got another id at" in stand.gateway.health()["state"] for stand in instances)


def _renewals(stand: Stand) -> list[str]:
    text = stand.gateway.metrics.exposition().decode()
    return [line for line in text.splitlines() if line.startswith("gateway_state_log_renewals_total{")]
