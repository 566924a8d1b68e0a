"""Time for what instances share and for those they ask: how fast a machine is decides no test that is about something else.

In earnest a log has a quarter of a second to take an entry, and a store as long for every answer; on a busy machine a
disk or a Redis takes longer now and then, and what follows from that (503 at a sign-in, a receipt that is not durable
yet) is tried where it is brought about on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from aiohttp import ClientTimeout

from gateway.core.http.routes import Route
from gateway.demo.okta.outbound import delivery
from gateway.doctor import served
from gateway.doctor.probe import Probe
from gateway.idp import provider
from gateway.proxy.pool import Pool
from gateway.state.redis import link as redis_link
from gateway.state.redis import server as redis_server
from gateway.state.redis import spool as redis_spool
from gateway.state.redis import stream as redis_stream
from gateway.state.redis.log import RedisLog
from gateway.state.redis.refreshes import RedisRefreshes
from gateway.state.redis.sign_ins import RedisSignIns
from gateway.state.redis.tickets import RedisTickets
from gateway.state.redis.token_revocations import RedisTokenRevocations
from gateway.state.sqlite import files as sqlite_files
from gateway.state.sqlite import log as sqlite_log
from gateway.state.sqlite import refreshes as sqlite_refreshes
from gateway.state.sqlite import table as sqlite_table
from gateway.state.sqlite.companion import CompanionTable
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.token_revocations import SqliteTokenRevocations
from tests.fakes.patience import PATIENCE

CONNECT = Route.__dataclass_fields__["connect"].default
"""Seconds for a connection to an application, where nothing else is said."""
LIMITED = {
    RedisLog.__init__: "deadline",
    SqliteLog.__init__: "deadline",
    RedisRefreshes.__init__: "within",
    RedisSignIns.__init__: "within",
    RedisTickets.__init__: "within",
    RedisTokenRevocations.__init__: "within",
    SqliteTokenRevocations.__init__: "within",
    CompanionTable.ask: "within",
    Probe.__init__: "within",
}
"""What gives up after so many seconds, and how that is called there."""
LIMITS = (
    (sqlite_refreshes, "WITHIN"),
    (sqlite_log, "CLOSE_WITHIN"),
    (sqlite_files, "OPEN_PATIENCE"),
    (sqlite_table, "OPEN_PATIENCE"),
    (provider, "REVOKE_TIMEOUT"),
    (served, "WITHIN"),
    (redis_link, "CONNECT_WITHIN"),
    (redis_link, "CONNECT_AT_MOST"),
    (redis_server, "EXAMINE_WITHIN"),
    (redis_spool, "CLOSE_WITHIN"),
    (redis_stream, "READ_WITHIN"),
)
"""What gives up after so many seconds that stand in its module."""


@contextmanager
def ample() -> Iterator[None]:
    """Whatever is made meanwhile and is told of no limit has as long as tests wait for anything."""
    with pytest.MonkeyPatch.context() as patched:
        for made, limit in LIMITED.items():
            defaults = made.__kwdefaults__ or {}
            assert limit in defaults, made
            patched.setattr(made, "__kwdefaults__", {**defaults, limit: PATIENCE})
        for module, limit in LIMITS:
            assert hasattr(module, limit)
            patched.setattr(module, limit, PATIENCE)
        yield


_stalling = False


@contextmanager
def ample_for_a_gateway() -> Iterator[None]:
    """Around the making of one that runs in this process, whichever directory its tests are in."""
    with nullcontext() if _stalling else ample():
        yield


@pytest.fixture(scope="module", autouse=True)
def ample_unless_it_stalls(request: pytest.FixtureRequest) -> Iterator[None]:
    """For the tests of a directory, but those that let it stall: of the whole module (``STALLS = True``), or those that
    it names (``STALLS = {"test_x"}``).

    Whatever stalls there, an emulator waits for its answer, and the door for an application.
    """
    stalls = bool(getattr(request.module, "STALLS", False))
    connect = Pool.connect
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.fakes.ample._stalling", stalls)
        patched.setattr(delivery, "PATIENCE", ClientTimeout(total=PATIENCE))
        patched.setattr(
            Pool, "connect", lambda pool, limit: connect(pool, PATIENCE if limit == CONNECT else limit)
        )
        with nullcontext() if stalls else ample():
            yield


@pytest.fixture(autouse=True)
def ample_for_the_others(request: pytest.FixtureRequest, ample_unless_it_stalls: None) -> Iterator[None]:
    """For those tests of such a module that are not named."""
    stalls = getattr(request.module, "STALLS", True)
    if not isinstance(stalls, set) or request.node.originalname in stalls:
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.fakes.ample._stalling", False)
        with ample():
            yield
