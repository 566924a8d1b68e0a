"""WebSockets through the forwarder: the handshake, the tunnel, and its end with the session (rule R22, pain P7)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.web.forward.websocket import run_tunnel
from tests.fakes.door import comes_to_rest, eventually, open_lab, session
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import accept_key, always, frame, read_frame, reply, websocket_echo
from tests.proxy.test_connection import Owner
from tests.proxy.test_tunnel import Wire

lab = pytest.fixture(open_lab)
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x01\x02\x03\x04"
UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY.decode()}",
           "Sec-WebSocket-Version: 13")  # fmt: skip


async def open_socket(client, *headers):
    await client.ask("/ws", *UPGRADE, *headers)
    return await client.response()


async def test_the_handshake_and_frames_pass(lab):
    """101 with subprotocol and extensions untouched; text, binary, ping and close go through as they are."""
    _, upstream, client = await lab(websocket_echo)

    answer = await open_socket(
        client, "Sec-WebSocket-Protocol: chat, v2", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context",
        "Cookie: __Host-session=secret; a=b", "Connection: X-Gone", "X-Gone: 1",
    )  # fmt: skip

    assert (answer.status, answer.value(b"upgrade"), answer.value(b"connection")) == (
        101,
        b"websocket",
        b"Upgrade",
    )
    assert answer.value(b"sec-websocket-accept") == accept_key(KEY)
    call = upstream.calls[0]
    assert call.values(b"connection") == [b"Upgrade"]
    assert call.values(b"upgrade") == [b"websocket"]
    assert call.values(b"sec-websocket-protocol") == [b"chat, v2"]
    assert call.values(b"sec-websocket-extensions") == [b"permessage-deflate; server_no_context"]
    assert (call.values(b"cookie"), call.values(b"x-gone")) == ([b"a=b"], [])
    for opcode, payload in (
        (1, b"hi"),
        (2, os.urandom(200)),
        (9, b"ping"),
        (2, os.urandom(70_000)),
        (8, b"\x03\xe8"),
    ):
        await client.send(frame(opcode, payload, mask=MASK))
        assert await asyncio.wait_for(read_frame(client.reader), PATIENCE) == (opcode, payload)
    assert await client.rest() == b""


async def test_bytes_sent_with_the_handshake_are_not_lost(lab):
    """A client that does not wait for the 101, and an upstream that speaks in the same segment as it."""

    async def eager(call):
        await call.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n"
            + frame(1, b"first")
        )
        call.frames = [await read_frame(call.reader)]
        await call.send(frame(1, b"second"))
        await call.client_gone()
        return "close"

    _, upstream, client = await lab(eager)

    head = "\r\n".join(("GET /ws HTTP/1.1", "Host: app.test", *UPGRADE, "", "")).encode()
    await client.send(head + frame(1, b"early", mask=MASK))
    await client.head()

    assert [await read_frame(client.reader) for _ in range(2)] == [(1, b"first"), (1, b"second")]
    assert upstream.calls[0].frames == [(1, b"early")]


async def test_a_refused_handshake_is_an_ordinary_response(lab):
    """Anything but 101 passes as it is, and both connections go on."""
    _, upstream, client = await lab(always(reply(b"no", status=b"403 Forbidden")))

    answer = await open_socket(client)

    assert (answer.status, answer.body) == (403, b"no")
    assert (await client.get("/")).body == b"no"
    assert upstream.connections == 1


async def test_a_tunnelled_connection_never_returns_to_the_pool(lab):
    """After a WebSocket the next request has a connection of its own (CVE-2026-71324)."""

    async def script(call):
        if call.values(b"upgrade"):
            return await websocket_echo(call)
        return await always(reply(b"ok"))(call)

    door, upstream, client = await lab(script)
    await open_socket(client)
    await client.close()
    await eventually(upstream.calls[0].ended.is_set)

    other = await door.client()
    assert (await other.get("/")).body == b"ok"
    assert [call.connection for call in upstream.calls] == [1, 2]
    await other.close()


@pytest.mark.parametrize(
    "headers",
    [
        ("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Connection: Upgrade", "Upgrade: tcp"),
        ("Upgrade: websocket",),
        ("Connection: Upgrade",),
    ],
)
async def test_other_upgrades_are_not_forwarded(lab, headers):
    """An upgrade to anything else, or half of one, is an ordinary request."""
    _, upstream, client = await lab(always(reply(b"plain")))

    answer = await client.get("/", *headers)

    assert answer.body == b"plain"
    names = {name.lower() for name, _ in upstream.calls[0].headers}
    assert not names & {b"upgrade", b"connection", b"http2-settings"}


async def test_an_upstream_that_switches_to_something_else_is_broken(lab):
    """A 101 to another protocol than the one asked for is refused."""
    _, _, client = await lab(
        always(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smtp\r\n\r\n")
    )

    assert (await open_socket(client)).body == b"broken_response"


async def test_r22_a_session_end_closes_both_ways_with_4401(lab):
    """The browser and the upstream each get a Close 4401, masked where it must be, and then the end."""
    door, upstream, client = await lab(websocket_echo, who=session("s"))
    await open_socket(client)
    await client.send(frame(1, b"hi", mask=MASK))
    await read_frame(client.reader)

    assert door.live.end("s", "signed out") == 1

    assert await asyncio.wait_for(read_frame(client.reader), PATIENCE) == (
        8,
        (4401).to_bytes(2) + b"signed out",
    )
    await eventually(lambda: upstream.calls[0].frames[-1:] == [(8, (4401).to_bytes(2) + b"signed out")])
    assert await client.rest() == b""
    assert len(door.live) == 0


async def test_r22_the_close_waits_for_the_frame_under_way(lab, hand, monkeypatch):
    """A frame that is half sent is finished first; nothing after it passes."""
    monkeypatch.setattr("gateway.proxy.tunnel.asyncio", SimpleNamespace(get_running_loop=lambda: hand))
    half, gate = frame(1, b"x" * 1000), asyncio.Event()

    async def script(call):
        await call.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            + half[:500]
        )
        await gate.wait()
        await call.send(half[500:] + frame(1, b"never"))
        await call.client_gone()
        return "close"

    door, _, client = await lab(script, who=session("s"))
    await open_socket(client)
    await client.reader.readexactly(500)

    door.live.end("s", "signed out")
    gate.set()

    told = b"\x88\x0c" + (4401).to_bytes(2) + b"signed out"
    rest = await asyncio.wait_for(client.reader.readexactly(504 + len(told)), PATIENCE)
    assert (rest[:504], rest[504:]) == (half[500:], told)
    hand.goes(1.0)
    assert await client.rest() == b""


async def test_r22_without_a_boundary_the_tunnel_is_cut(lab):
    """A frame that does not end within the grace is cut off on both sides."""

    async def script(call):
        await call.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x7f"
        )
        await call.client_gone()
        return "close"

    door, upstream, client = await lab(script, who=session("s"))
    await open_socket(client)

    door.live.end("s", "signed out")

    await eventually(upstream.calls[0].ended.is_set)
    with contextlib.suppress(ConnectionError):
        assert await client.rest() == b"\x82\x7f"


async def test_no_second_close_follows_the_first(lab):
    """Once a Close has passed, the end of the session adds none."""

    async def script(call):
        await call.send(
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + frame(8, b"\x03\xe8")
        )
        await call.client_gone()
        return "close"

    door, _, client = await lab(script, who=session("s"))
    await open_socket(client)
    await read_frame(client.reader)

    door.live.end("s", "signed out")

    assert await client.rest() == b""


@pytest.mark.parametrize("alive", [True, False])
async def test_a_session_that_is_over_gets_no_tunnel(lab, alive):
    """A handshake that outlives its session's end or deadline is closed at once."""
    who = session("s", absolute_until=1) if alive else session("s")
    _, upstream, client = await lab(websocket_echo, who=who, alive=lambda session: alive)

    await open_socket(client)

    opcode, payload = await read_frame(client.reader)
    assert (opcode, payload[:2]) == (8, (4401).to_bytes(2))
    await eventually(lambda: upstream.calls[0].frames)


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_either_side_may_leave(lab, who):
    """The end of one connection is the end of the other, and of the registration."""
    leave = asyncio.Event()

    async def script(call):
        await call.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        if who == "upstream":
            await leave.wait()
            await call.send(frame(1, b"bye"))
            return "close"
        await call.client_gone()
        return "close"

    door, upstream, client = await lab(script, who=session("s"))
    await open_socket(client)

    if who == "client":
        await client.close()
        await eventually(upstream.calls[0].ended.is_set)
    else:
        leave.set()
        assert await client.rest() == frame(1, b"bye")
    await eventually(lambda: len(door.live) == 0)


async def test_a_tunnel_that_is_broken_off_ends_at_both_ends(lab):
    """A gateway that has no more time cuts it, also where the client takes nothing of what waits for it."""

    async def flood(call):
        await call.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        try:
            while True:
                await call.send(frame(2, b"x" * 100_000))
        except ConnectionError:
            call.ended.set()

    door, upstream, client = await lab(flood)
    await client.ask("/ws", *UPGRADE)
    await eventually(lambda: any(each.writing_paused for each in door.listener.connections))

    ending = asyncio.ensure_future(door.listener.shutdown(2 * PATIENCE))

    await eventually(upstream.calls[0].ended.is_set)
    await asyncio.wait_for(ending, PATIENCE)


async def test_a_client_that_left_gets_no_tunnel():
    """It went while its handshake was under way: the upstream's connection ends as well."""

    class Gone:
        gone = True

    connection = UpstreamConnection(Owner())
    wire: Any = Wire()
    connection.connection_made(wire)

    unread: Any = None
    gone: Any = Gone()
    await run_tunnel(unread, gone, connection, b"101", b"", Deadlines(1.0), 1.0)

    assert wire.how == "abort"


@pytest.mark.parametrize("slow", ["client", "upstream"])
async def test_a_slow_side_holds_the_other_back(lab, slow):
    """Nothing is piled up in the tunnel: a side that does not read stops the side that writes."""
    sent, over = 0, asyncio.Event()
    blob = frame(2, b"x" * 100_000, mask=MASK if slow == "upstream" else None)

    async def script(call):
        nonlocal sent
        await call.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        if slow == "upstream":
            await over.wait()
            return "close"
        while sent < 1_000_000_000 and not over.is_set():
            await call.send(blob)
            sent += len(blob)
        return "close"

    door, _, client = await lab(script, who=session("s"))
    await open_socket(client)

    async def send():
        nonlocal sent
        while sent < 1_000_000_000:
            await client.send(blob)
            sent += len(blob)

    sending = asyncio.create_task(send() if slow == "upstream" else asyncio.sleep(0))
    assert await comes_to_rest(lambda: sent) < 500_000_000  # kernels take tens of megabytes where they may
    if slow == "client":
        over.set()
        assert len(await asyncio.wait_for(client.reader.read(-1), PATIENCE)) == sent
    else:
        door.live.end("s", "signed out")
    with contextlib.suppress(ConnectionError):
        await sending
    over.set()
