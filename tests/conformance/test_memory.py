"""Large bodies pass through a gateway process without staying in it.

256 MiB each way in the ordinary suite; ``make conformance-long`` sends 1 GiB (``CONFORMANCE_BYTES``).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.demo import configuration
from tests.conformance.recorder import Call, Recorder, plain
from tests.conformance.wire import Door
from tests.fakes.serving import Serving, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIZE = int(os.environ.get("CONFORMANCE_BYTES", str(1 << 28)))
GROWTH = 16 << 20
_PIECE = bytes(1 << 18)
_STALL = 0.3
"""Seconds in which the reading side takes nothing: what is not passed on must wait outside."""


@dataclass
class Process:
    """A gateway of its own, and the processes it consists of."""

    serving: Serving
    door: Door

    def _pids(self) -> list[int]:
        return [self.serving.process.pid, *self.serving.workers().values()]

    def forget_peak(self) -> int:
        """Memory in use now, from where the peak counts anew."""
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        """The most memory that was ever in use since."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self._pids()]
        return sum(int(each.split("VmHWM:")[1].split()[0]) * 1024 for each in status)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    upstream = Recorder()
    replaced = {f"file://{configuration.SPA}": upstream.url, "builtin:groups": "builtin:spa"}
    async with serving(tmp_path_factory.mktemp("memory"), replaced=replaced) as running:
        browser = running.browser()
        form = await browser.goto(running.app + "/")
        await browser.submit(form, username="alice@example.com", password="demo")
        authority = running.app.removeprefix("http://")
        port = int(authority.rpartition(":")[2])
        yield Process(
            running, Door("127.0.0.1", port, authority, browser.cookie_header(running.app), upstream, 0)
        )
    upstream.close()


def _upload(door: Door, size: int, *, chunked: bool) -> None:
    received: list[int] = []

    def script(call: Call) -> None:
        time.sleep(_STALL)
        received.append(call.count())
        call.send(plain(b"taken"))

    path = door.upstream.on(script)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    piece = b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE) if chunked else _PIECE
    with door.open(60.0) as wire:
        wire.send(door.request(path, framing, method="POST"))
        for _ in range(size // len(_PIECE)):
            wire.send(piece)
        if chunked:
            wire.send(b"0\r\n\r\n")
        assert wire.response().body == b"taken"
    assert received == [size]


def _download(door: Door, size: int, *, chunked: bool) -> None:
    head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    piece = b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE) if chunked else _PIECE

    def script(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        for _ in range(size // len(_PIECE)):
            call.send(piece)
        if chunked:
            call.send(b"0\r\n\r\n")

    with door.open(60.0) as wire:
        wire.send(door.request(door.upstream.on(script)))
        wire.head()
        time.sleep(_STALL)
        assert wire.count(size, chunked=chunked) == size


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("way", [_upload, _download], ids=["upload", "download"])
async def test_a_large_body_leaves_nothing_behind(process: Process, way, chunked: bool) -> None:
    """Less than 16 MiB more memory at its peak, whatever the size, also while nobody reads."""
    await asyncio.to_thread(way, process.door, 8 << 20, chunked=chunked)
    before = process.forget_peak()
    await asyncio.to_thread(way, process.door, SIZE, chunked=chunked)
    assert process.peak() - before < GROWTH
