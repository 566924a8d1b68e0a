"""Time for what instances share: how fast a machine is decides no test that is about something else.

In earnest a log has a quarter of a second to take an entry, and a store as long for every answer; on a busy machine a
disk or a Redis takes longer now and then, and what follows from that (503 at a sign-in, a receipt that is not durable
yet) is tried where it is brought about on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.state.redis import link as redis_link
from gateway.state.redis.log import RedisLog
from gateway.state.redis.refreshes import RedisRefreshes
from gateway.state.redis.sign_ins import RedisSignIns
from gateway.state.redis.tickets import RedisTickets
from gateway.state.redis.token_revocations import RedisTokenRevocations
from gateway.state.sqlite import refreshes as sqlite_refreshes
from gateway.state.sqlite.companion import CompanionTable
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.token_revocations import SqliteTokenRevocations
from tests.fakes.patience import PATIENCE

LIMITED = {
    RedisLog.__init__: "deadline",
    SqliteLog.__init__: "deadline",
    RedisRefreshes.__init__: "within",
    RedisSignIns.__init__: "within",
    RedisTickets.__init__: "within",
    RedisTokenRevocations.__init__: "within",
    SqliteTokenRevocations.__init__: "within",
    CompanionTable.ask: "within",
}
"""What gives up after so many seconds, and how that is called there."""


@contextmanager
def ample() -> Iterator[None]:
    """Whatever is made meanwhile and is told of no limit has as long as tests wait for anything."""
    with pytest.MonkeyPatch.context() as patched:
        for made, limit in LIMITED.items():
            defaults = made.__kwdefaults__ or {}
            assert limit in defaults, made
            patched.setattr(made, "__kwdefaults__", {**defaults, limit: PATIENCE})
        patched.setattr(sqlite_refreshes, "WITHIN", PATIENCE)
        for limit in ("CONNECT_WITHIN", "CONNECT_AT_MOST"):
            patched.setattr(redis_link, limit, PATIENCE)
        yield
