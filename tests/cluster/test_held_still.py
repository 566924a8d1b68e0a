"""A gateway is held still (SIGSTOP, a suspended machine) while sessions end elsewhere."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.cluster.live import all_told, asking
from tests.cluster.rig import Cluster, Replica
from tests.fakes.patience import PATIENCE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("cluster")]
STORES = ("cookie", "ticket")
PAUSE = float(os.environ.get("CLUSTER_PAUSE", "3"))
"""Seconds that a replica is held still."""
IMPATIENT = 20
"""Requests that wait for it."""


async def waiting(replica: Replica, cookie: str) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connections on which the replica has answered once."""
    made = [await asyncio.open_connection("127.0.0.1", replica.port) for _ in range(IMPATIENT)]
    for reader, writer in made:
        writer.write(asking(replica.host, "/api/quick", cookie))
        assert await reader.readuntil(b"quick")
    return made


async def test_a_replica_that_was_held_still_serves_a_dead_cookie_not_once(cluster: Cluster) -> None:
    """Not on connections that asked while it was still, nor on new ones; and its live connections end."""
    still = cluster.replicas[2]
    alice = await cluster.signed_in(at=0)
    copied = cluster.cookie(alice)
    lives = await cluster.opened(copied)
    made = await waiting(still, copied)
    still.pause()
    try:
        await cluster.sign_out(alice)
        await all_told(lives[:4])
        await asyncio.sleep(PAUSE)
        for _, writer in made:
            writer.write(asking(still.host, "/api/quick", copied))
        new = [asyncio.create_task(still.status(copied)) for _ in range(IMPATIENT)]
        await asyncio.sleep(0.1)
    finally:
        still.resume()
    heads = await asyncio.wait_for(
        asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in made)), PATIENCE
    )
    statuses = [int(head[9:12]) for head in heads] + list(await asyncio.gather(*new))
    for _, writer in made:
        writer.close()
    await all_told(lives[4:])
    await cluster.in_step()
    assert set(statuses) <= {401, 503}, "503: it could not tell yet"
    assert await still.decided(copied) == 401
