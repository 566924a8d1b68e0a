"""Gateways as operators run them, and what can befall them: each fault for real, and fixed when it is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.cluster.rig import Cluster, Replica, clustered
from tests.fakes.browser import Browser, Loopback
from tests.fakes.disk import Disk, mounted
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.serving import Alone, Serving, launched, serving
from tests.faults.visitors import until_true

AHEAD = 14 * 3_600
_AT_ONCE = 20


@dataclass(frozen=True)
class Fault:
    """`lasts`: it begins and is fixed. `clock`: whoever is signed in is not, meanwhile, and is again afterwards."""

    name: str
    lasts: Callable[[], AbstractAsyncContextManager[None]]
    clock: bool = False


class OneHost:
    """Two workers on one state file, on a disk of its own.

    :ivar renewed: when, by the loop's time, the log became another one on purpose: no sign-in of before counts.
    """

    workers = 2
    renewed = 0.0

    def __init__(self, gateway: Serving, disk: Disk, clock: Path, environment: dict[str, str]) -> None:
        self.app = gateway.app
        self._gateway = gateway
        self._disk = disk
        self._clock = clock
        self._environment = environment
        self._chance = random.Random(1)

    @property
    def places(self) -> Sequence[str]:
        """The workers."""
        return sorted(self._gateway.workers())

    def browser(self) -> Browser:
        """Whose connections are never kept: one that is closed behind a request would be no finding."""
        connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False, force_close=True)
        return Browser(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
            )
        )

    async def status(self, cookie: str) -> int:
        """By one of them."""
        return await self._gateway.status(cookie)

    async def statuses(self, place: str, cookies: Sequence[str]) -> list[int]:
        """By this one, the others being held still."""
        with Alone(self._gateway, self._gateway.workers()[place]):
            found: list[int] = []
            for at in range(0, len(cookies), _AT_ONCE):
                found += await asyncio.gather(*map(self._gateway.decided, cookies[at : at + _AT_ONCE]))
            return found

    async def well(self) -> None:
        """All workers are there, and have nothing to complain of."""

        told = ""

        async def is_well() -> bool:
            nonlocal told
            try:
                status, said = await self._gateway.probe("/readyz")
            except aiohttp.ClientError:
                return False
            told = f"{sorted(self._gateway.workers())}: {said}"
            here = len(self._gateway.workers()) == self.workers
            return here and status == 200 and str(said["state"]).startswith("ok")

        try:
            await until_true(is_well)
        except TimeoutError:
            raise AssertionError(f"it does not become well: {told}") from None

    def pids(self) -> dict[str, int]:
        """Of the workers."""
        return self._gateway.workers()

    def faults(self) -> tuple[Fault, ...]:
        """What can befall them."""
        return (
            Fault("workers are killed", self.workers_are_killed),
            Fault("the parent is killed", self.the_parent_is_killed),
            Fault("stopped and started", self.stopped_and_started),
            Fault("a worker is held still", self.a_worker_is_held_still),
            Fault("the log is locked", self.the_log_is_locked),
            Fault("the disk is full", self.the_disk_is_full),
            Fault("killed on a full disk", self.killed_on_a_full_disk),
            Fault("the clock is ahead", self.the_clock_is_ahead, clock=True),
            Fault("the clock has fallen back", self.the_clock_has_fallen_back, clock=True),
            Fault("restored from a copy", self.restored_from_a_copy),
        )

    async def another_worker(self, instead_of: int = 0) -> None:
        """Wait for it, where one has been killed, or ends when it has answered; until all serve."""

        async def all_there() -> bool:
            pids = self._gateway.workers().values()
            if len(pids) != self.workers or instead_of in pids:
                return False
            try:
                status, said = await self._gateway.probe("/readyz")
            except aiohttp.ClientError:
                return False
            return status == 200 and said["workers"] == f"{self.workers} of {self.workers} ready"

        await until_true(all_there)

    async def kill_a_worker(self) -> None:
        """`kill -9` of one of those that serve."""
        if workers := list(self._gateway.workers().values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(workers), signal.SIGKILL)

    @asynccontextmanager
    async def workers_are_killed(self) -> AsyncIterator[None]:
        killing = asyncio.create_task(self._kill_on())
        try:
            yield
        finally:
            killing.cancel()
            await asyncio.wait({killing})
            await self.another_worker()

    async def _kill_on(self) -> None:
        while True:
            await asyncio.sleep(self._chance.random())
            await self.kill_a_worker()

    @asynccontextmanager
    async def the_parent_is_killed(self) -> AsyncIterator[None]:
        self._gateway.process.kill()
        await self._gateway.ends()
        await self._start()
        yield

    @asynccontextmanager
    async def stopped_and_started(self) -> AsyncIterator[None]:
        await self._gateway.stop()
        await self._start()
        yield

    async def _start(self) -> None:
        made = await launched(
            self._gateway.config, workers=self.workers, accept_for=0.3, env=self._environment
        )
        self._gateway.process = made
        await self._gateway.until("/readyz", 200)

    @asynccontextmanager
    async def a_worker_is_held_still(self) -> AsyncIterator[None]:
        pid = self._chance.choice(list(self._gateway.workers().values()))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @asynccontextmanager
    async def the_log_is_locked(self) -> AsyncIterator[None]:
        other = sqlite3.connect(self._disk.directory / "state.db", timeout=PATIENCE, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            other.close()

    @asynccontextmanager
    async def the_disk_is_full(self) -> AsyncIterator[None]:
        # What the log's own files have as room to spare would be room.
        with contextlib.closing(
            sqlite3.connect(self._disk.directory / "state.db", timeout=PATIENCE)
        ) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._disk.fill()
        try:
            yield
        finally:
            self._disk.free()

    @asynccontextmanager
    async def killed_on_a_full_disk(self) -> AsyncIterator[None]:
        async with self.the_disk_is_full(), self.workers_are_killed():
            yield

    @asynccontextmanager
    async def the_clock_is_ahead(self) -> AsyncIterator[None]:
        async with self._set_by(AHEAD):
            yield

    @asynccontextmanager
    async def the_clock_has_fallen_back(self) -> AsyncIterator[None]:
        async with self._set_by(-AHEAD):
            yield

    @asynccontextmanager
    async def restored_from_a_copy(self) -> AsyncIterator[None]:
        """The state directory, as it was before it all began: the sign-outs since are in no file."""
        state, copy = self._disk.directory, self._clock.with_name("copy")
        await self._gateway.stop()
        shutil.copytree(state, copy)
        await self._start()
        try:
            yield
        finally:
            await self._gateway.stop()
            await asyncio.sleep(0.5)  # whoever is being told something by one that ended has heard it
            for file in state.iterdir():
                file.unlink()
            shutil.copytree(copy, state, dirs_exist_ok=True)
            shutil.rmtree(copy)
            self.renewed = asyncio.get_running_loop().time()
            await self._start()

    @asynccontextmanager
    async def _set_by(self, seconds: int) -> AsyncIterator[None]:
        self._put(seconds)
        try:
            yield
        finally:
            self._put(0)

    def _put(self, seconds: int) -> None:
        whole = self._clock.with_suffix(".new")
        whole.write_text(str(seconds))
        whole.rename(self._clock)


@asynccontextmanager
async def one_host(directory: Path) -> AsyncIterator[OneHost]:
    """That is ready."""
    clock = directory / "clock"
    clock.write_text("0")
    environment = {"SET_CLOCK": str(clock)}
    with mounted(directory / "disk", mebibytes=64) as disk:
        state = {f"sqlite://{directory / 'state.db'}": f"sqlite://{disk.directory}/state.db"}
        async with serving(directory, workers=OneHost.workers, env=environment, replaced=state) as gateway:
            yield OneHost(gateway, disk, clock, environment)


class TwoHosts:
    """Two instances on one Redis, a directory each."""

    renewed = 0.0

    def __init__(self, cluster: Cluster, redis: RedisServer) -> None:
        self.app = cluster.app
        self._cluster = cluster
        self._redis = redis
        self._chance = random.Random(1)

    @property
    def places(self) -> Sequence[str]:
        """The instances."""
        return [str(at) for at in range(len(self._cluster.replicas))]

    def browser(self) -> Browser:
        """Led to one of them."""
        return self._cluster.browser(self._chance.randrange(len(self._cluster.replicas)))

    async def status(self, cookie: str) -> int:
        """By one of them."""
        return await self._chance.choice(self._cluster.replicas).status(cookie)

    async def statuses(self, place: str, cookies: Sequence[str]) -> list[int]:
        """By this one."""
        replica = self._cluster.replicas[int(place)]
        found: list[int] = []
        for at in range(0, len(cookies), _AT_ONCE):
            found += await asyncio.gather(*map(replica.decided, cookies[at : at + _AT_ONCE]))
        return found

    async def well(self) -> None:
        """Both are in step."""
        await self._cluster.in_step()

    def faults(self) -> tuple[Fault, ...]:
        """What can befall them."""
        return (
            Fault("an instance is killed", self.an_instance_is_killed),
            Fault("an instance is held still", self.an_instance_is_held_still),
            Fault("Redis hangs", self.redis_hangs),
            Fault("Redis is killed", self.redis_is_killed),
            Fault("Redis takes nothing", self.redis_takes_nothing),
            Fault("killed while Redis hangs", self.killed_while_redis_hangs),
        )

    def _one(self) -> Replica:
        return self._chance.choice(self._cluster.replicas)

    @asynccontextmanager
    async def an_instance_is_killed(self) -> AsyncIterator[None]:
        killed = self._one()
        await killed.kill()
        try:
            yield
        finally:
            await killed.start()

    @asynccontextmanager
    async def an_instance_is_held_still(self) -> AsyncIterator[None]:
        still = self._one()
        still.pause()
        try:
            yield
        finally:
            still.resume()

    @asynccontextmanager
    async def redis_hangs(self) -> AsyncIterator[None]:
        self._redis.pause()
        try:
            yield
        finally:
            self._redis.resume()

    @asynccontextmanager
    async def redis_is_killed(self) -> AsyncIterator[None]:
        self._redis.kill()
        try:
            yield
        finally:
            self._redis.start()

    @asynccontextmanager
    async def redis_takes_nothing(self) -> AsyncIterator[None]:
        self._redis.ask("CONFIG", "SET", "maxmemory", 1)
        try:
            yield
        finally:
            self._redis.ask("CONFIG", "SET", "maxmemory", 0)

    @asynccontextmanager
    async def killed_while_redis_hangs(self) -> AsyncIterator[None]:
        """It starts when Redis goes on; what it had taken waits in its directory."""
        killed = self._one()
        async with self.redis_hangs():
            yield
            await killed.kill()
        await killed.start()


@asynccontextmanager
async def two_hosts(directory: Path) -> AsyncIterator[TwoHosts]:
    """That are ready."""
    with RedisServer(directory / "redis", "appendonly yes", "appendfsync always") as redis:
        state = f"redis://127.0.0.1:{redis.port}/0"
        async with clustered(directory, state=state, number=2) as cluster:
            yield TwoHosts(cluster, redis)
