"""A Redis that answers after three tenths of a second: nobody is kept out by that, and nobody who signed out is let in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.slow_way import SlowWay
from tests.flows.conftest import standing
from tests.flows.test_many_hosts import beside, comes_to, refused, signed_in
from tests.state.log_contract import within

STALLS = True

STALE = 3
"""Seconds; an index of this Redis is never older than a beat and two exchanges."""


async def test_nobody_is_kept_out_by_a_slow_redis(tmp_path: Path) -> None:
    """Beyond `max_staleness`, while nobody signs out; and who does is out at the other instance too."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        async with SlowWay(redis.port, round_trip=0.3) as way:
            replaced = {f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{way.port}/0"}
            async with (
                standing(tmp_path, extra=f"max_staleness: {STALE}s\n", replaced=replaced) as first,
                beside(first, tmp_path / "gateway.yaml") as second,
            ):
                assert await within(PATIENCE, lambda: first.gateway.usable and second.gateway.usable)
                browser, copied = await signed_in(first)
                await asyncio.sleep(STALE + 1)
                for stand in (first, second):
                    await comes_to(200, stand, copied)
                await first.sign_out(browser, until="/logged-out")
                for stand in (first, second):
                    await refused(stand, copied)
