"""Connections before they speak HTTP: they count, have their time, and come from whom the PROXY header names."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app.accepting import accepting, listening_socket
from gateway.settings.addresses import ListenAddress
from gateway.settings.secret_files import context_of
from gateway.web.door.arrival import Arrival
from gateway.web.door.connections import Listener
from gateway.web.door.limits import DoorLimits
from gateway.web.messages import Request, Response
from tests.fakes.certificates import Authority
from tests.fakes.door import Client, eventually, listener
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE

NOBODY = (ip_network("192.0.2.0/24"),)
HERE = (ip_network("127.0.0.0/8"),)
HOST = "app.localhost"
ROOMY: dict[str, Any] = {"header": 8_192, "body": 0, "proxies": NOBODY, "handshake": 1_000.0}
"""Nothing passes that a test does not let pass."""
FROM = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 443\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority.make(tmp_path_factory.mktemp("authority"))
    made.server(HOST)
    return made


class Stand:
    """A listener with TLS or without, that answers with whom it takes the client for."""

    doors: Listener
    port: int

    def __init__(self, authority: Authority) -> None:
        self.clients = ssl.create_default_context(cafile=authority.file)

    async def silent(self, data: bytes = b"") -> Client:
        """A client that says no more than ``data``."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        await client.send(data)
        return client

    async def speaking(self, data: bytes = b"") -> Client:
        """One that speaks TLS behind ``data``."""
        client = await self.silent(data)
        await asyncio.wait_for(client.writer.start_tls(self.clients, server_hostname=HOST), PATIENCE)
        return client


@contextlib.asynccontextmanager
async def standing(authority: Authority, *, tls: bool = True, **limits: Any) -> AsyncIterator[Stand]:
    stand = Stand(authority)

    def answer(request: Request) -> Response:
        return Response(body=request.peer.encode())

    stand.doors = listener(answer, DoorLimits(**{**ROOMY, **limits}))
    pem = Path(authority.file).with_suffix(f".{HOST}.pem")
    sock = listening_socket(ListenAddress("127.0.0.1", 0), "listen")
    stand.port = sock.getsockname()[1]
    server = await accepting(sock, stand.doors, context_of(pem, pem) if tls else None)
    try:
        yield stand
    finally:
        server.close()
        await stand.doors.shutdown(1)


async def gone(client: Client) -> bool:
    """Whether the other side ends it, in one way or another."""
    try:
        return await client.rest() == b""
    except ConnectionError:
        return True
    finally:
        await client.close()


async def test_a_connection_counts_for_its_client_before_its_handshake(authority: Authority) -> None:
    """Who opens connections and sends nothing has no more of them than anybody else, and gives them back."""
    async with standing(authority, per_client=2) as stand:
        first, second = await stand.silent(), await stand.silent(b"\x16\x03")
        await eventually(lambda: len(stand.doors.connections) == 2)
        assert await gone(await stand.silent())
        await first.close()
        await eventually(lambda: len(stand.doors.connections) == 1)
        third = await stand.speaking()
        assert (await third.get("/")).body == b"127.0.0.1"
        await second.close()
        await third.close()
        await eventually(lambda: not stand.doors.connections)
        assert not stand.doors._clients


async def test_a_handshake_has_its_time(authority: Authority, hand: Hand) -> None:
    """Then the connection is closed; one that speaks by then goes on for as long as it likes."""
    async with standing(authority, handshake=10.0, keep_alive=1_000.0) as stand:
        silent, half, speaking = (
            await stand.silent(),
            await stand.silent(b"\x16\x03\x01"),
            await stand.speaking(),
        )
        await eventually(lambda: len(stand.doors.connections) == 3)
        await eventually(  # the client is through its handshake before the server has read the last of it
            lambda: any(not isinstance(each.transport, Arrival) for each in stand.doors.connections)
        )
        hand.goes(9)
        assert len(stand.doors.connections) == 3
        hand.goes(5)
        assert await gone(silent)
        assert await gone(half)
        assert (await speaking.get("/")).status == 200
        await speaking.close()


async def test_handshakes_that_never_come_make_room_for_who_speaks(authority: Authority) -> None:
    """Where all connections are taken, those that said nothing go first."""
    async with standing(authority, together=8) as stand:
        silent = [await stand.silent() for _ in range(8)]
        await eventually(lambda: len(stand.doors.connections) == 8)
        speaking = await stand.speaking()
        assert (await speaking.get("/")).status == 200
        for client in (*silent, speaking):
            await client.close()


async def test_a_handshake_that_fails_leaves_nothing(authority: Authority) -> None:
    """Plain HTTP at a TLS listener, and whoever hangs up in the middle."""
    async with standing(authority) as stand:
        await gone(await stand.silent(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        client = await stand.silent(b"\x16\x03\x01")
        await eventually(lambda: len(stand.doors.connections) == 1)
        await client.close()
        await eventually(lambda: not stand.doors.connections)


@pytest.mark.parametrize("tls", [True, False])
async def test_the_client_is_whom_the_proxy_header_names(authority: Authority, tls: bool) -> None:
    """Before TLS and without it, from whoever is trusted; the request behind it arrives whole, also in pieces."""
    async with standing(authority, tls=tls, proxied=HERE) as stand:
        client = await (stand.speaking if tls else stand.silent)(FROM)
        assert (await client.get("/")).body == b"203.0.113.7"
        assert (await client.get("/")).body == b"203.0.113.7"
        await client.close()
        client = await stand.silent()
        for each in FROM:
            await client.send(bytes([each]))
        if not tls:
            assert (await client.get("/")).body == b"203.0.113.7"
            await client.send(b"")
        await client.close()
        local = bytes.fromhex("0d0a0d0a000d0a515549540a20000000")
        client = await (stand.speaking if tls else stand.silent)(local)
        assert (await client.get("/")).body == b"127.0.0.1"
        await client.close()
        client = await (stand.speaking if tls else stand.silent)(b"PROXY UNKNOWN\r\n")
        assert (await client.get("/")).body == b"unknown"
        await client.close()


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 localhost 1.2.3.4 1 2\r\n"]
)
async def test_without_a_header_nobody_comes_in(authority: Authority, tls: bool, data: bytes) -> None:
    """It is closed without a word, and the log says once why."""
    async with standing(authority, tls=tls, proxied=HERE) as stand:
        with capture_logs() as logs:
            assert await gone(await stand.silent(data))
        assert [log["event"] for log in logs] == ["proxy_header_refused"]


async def test_a_header_of_whoever_is_not_trusted_is_not_even_read(authority: Authority) -> None:
    """Else everybody could choose an address."""
    async with standing(authority, tls=False, proxied=NOBODY) as stand:
        with capture_logs() as logs:
            assert await gone(await stand.silent(FROM + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert [log["why"] for log in logs] == ["not in trusted_proxies"]


async def test_connections_behind_a_proxy_count_for_their_clients(authority: Authority) -> None:
    """Each for the address that the header names, not for the proxy's."""
    async with standing(authority, proxied=HERE, proxies=HERE, per_client=1) as stand:
        first = await stand.silent(FROM)
        await eventually(lambda: stand.doors._clients["203.0.113.7"] == 1)
        assert await gone(await stand.silent(FROM))
        other = await stand.speaking(FROM.replace(b"113.7", b"113.8"))
        assert (await other.get("/")).body == b"203.0.113.8"
        await first.close()
        await other.close()
        await eventually(lambda: not stand.doors._clients)
