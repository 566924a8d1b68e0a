"""The naive aiohttp proxy: what one writes in an afternoon. ``naive_proxy.py`` is the program."""

from __future__ import annotations

import sys
from importlib.metadata import version

from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Stand

NAIVE = "naive aiohttp proxy"


def client(port: int) -> Client:
    return Client("naive", port, "/callback")


def start(stand: Stand, client: Client) -> Peer:
    process = stand.start_proxy(
        sys.executable, "-m", "tests.bench.naive_proxy",
        str(client.port), str(stand.files), str(stand.live), stand.issuer, client.name, client.secret,
    )  # fmt: skip
    stand.wait(client.port, process)
    versions = f"aiohttp {version('aiohttp')}, aiohttp-session {version('aiohttp-session')}"
    return Peer(NAIVE, versions, client.port, [process], Role.GATED)
