"""A pod's end as the kubelet goes about it, played with real gateways by what a manifest says."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.cluster.rig import Cluster, Replica, Steered
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.serving import Application


@dataclass
class Pod:
    """One of a Deployment's pods: a gateway and its application."""

    gateway: Replica
    application: Application

    async def terminated(self, spec: Mapping[str, Any]) -> None:
        """Its end: all preStop hooks begin at once, SIGTERM comes behind each container's own, and to native sidecars only
        when no main container is left (``killContainer`` of the kubelet).

        :param spec: the pod's, of a manifest.
        """
        sidecars = [each for each in spec.get("initContainers", []) if each.get("restartPolicy") == "Always"]
        ends = {
            each["name"]: asyncio.create_task(self._ended(each))
            for each in spec["containers"]
            if each["name"] != "gateway"
        }
        for each in (*spec["containers"], *sidecars):
            if each["name"] == "gateway":
                await self._hook(each)
                if each in sidecars:
                    await asyncio.gather(*ends.values())
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    self.gateway.signal(signal.SIGTERM)
        assert self.gateway.process is not None
        await asyncio.wait_for(self.gateway.process.wait(), PATIENCE)
        await asyncio.gather(*ends.values())

    async def _ended(self, container: Mapping[str, Any]) -> None:
        await self._hook(container)
        await self.application.close()

    async def _hook(self, container: Mapping[str, Any]) -> None:
        hook = container.get("lifecycle", {}).get("preStop", {})
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        if "exec" in hook:
            program, *arguments, script = hook["exec"]["command"]
            assert program == "python"
            assert self.gateway.process is not None
            script = put(script, {"kill(1,": f"kill({self.gateway.process.pid},"})
            ran = await asyncio.create_subprocess_exec(sys.executable, *arguments, script)
            assert await ran.wait() == 0


@dataclass
class Client:
    """Somebody who asks all the time. ``lost``: what came in place of the application's answer."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask_on(self, session: aiohttp.ClientSession, url: str, cookie: str) -> None:
        while True:
            try:
                async with session.get(url, headers={"Cookie": cookie}, allow_redirects=False) as answer:
                    text = await answer.text()
                    if (answer.status, text) != (200, "quick"):
                        self.lost.append(f"{answer.status} {text[:200]}")
            except aiohttp.ClientError as error:
                self.lost.append(repr(error))
            self.answered += 1
            self.more.set()
            await asyncio.sleep(0.1)

    async def asks(self, times: int) -> None:
        """Wait for so many answers more."""
        until = self.answered + times
        async with asyncio.timeout(PATIENCE):
            while self.answered < until:
                self.more.clear()
                await self.more.wait()


@asynccontextmanager
async def asking(cluster: Cluster, service: Steered, cookie: str) -> AsyncIterator[list[Client]]:
    """Two clients of the Service: one keeps its connection until it is asked to leave, one makes a new one each time."""
    clients: list[Client] = []
    async with contextlib.AsyncExitStack() as opened:
        for close in (False, True):
            connector = aiohttp.TCPConnector(resolver=service, use_dns_cache=False, force_close=close)
            session = await opened.enter_async_context(
                aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            )
            clients.append(Client())
            task = asyncio.create_task(clients[-1].ask_on(session, f"{cluster.app}/api/quick", cookie))
            opened.push_async_callback(_cancelled, task)
        yield clients


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
