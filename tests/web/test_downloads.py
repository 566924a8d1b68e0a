"""Large files on their way to clients: by sendfile where that can be, else copied, and with the same ends either way."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import itertools
import os
import re
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.http.routes import Route
from tests.fakes.certificates import Authority
from tests.fakes.door import Client, Door, eventually, session
from tests.fakes.patience import PATIENCE

BIG = os.urandom(3_000_000)
SMALL = b"small" * 6_000


class Way(str):
    """How files go. ``full``: the kernel has taken what it takes, so the file waits for its client."""

    __slots__ = ("full",)
    full: bool


@pytest.fixture(params=["sendfile", "copied"])
def way(request, monkeypatch):
    """Either; file systems that cannot do sendfile say so with EINVAL."""
    made = Way(request.param)
    made.full = False
    sent = []
    real = os.sendfile

    def sendfile(*arguments):
        if made == "copied":
            raise OSError(errno.EINVAL, "Invalid argument")
        try:
            size = real(*arguments)
        except BlockingIOError:
            made.full = True
            raise
        sent.append(size)
        return size

    monkeypatch.setattr(os, "sendfile", sendfile)
    yield made
    assert bool(sent) == (made == "sendfile")


async def waits(door, way):
    """Until the file under way waits for its client."""
    await eventually(
        lambda: (
            way.full if way == "sendfile" else any(each.writing_paused for each in door.listener.connections)
        )
    )


@pytest.fixture
def root(tmp_path):
    (tmp_path / "big.bin").write_bytes(BIG)
    (tmp_path / "small.txt").write_bytes(SMALL)
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(200_000_000)
    return tmp_path


@contextlib.asynccontextmanager
async def opened(root, **limits):
    door = await Door(Route("/", f"file://{root}", **limits), who=session("s")).start()
    client = await door.client()
    try:
        yield door, client
    finally:
        await client.close()
        await door.close()


@pytest.fixture
async def lab(root):
    async with opened(root) as both:
        yield both


async def test_who_has_closed_its_side_gets_all_of_a_file(lab, way, hand):
    """However slowly it takes it, for longer than a pause may be."""
    door, _ = lab
    door.listener.limits = replace(door.listener.limits, half_closed=1.0)
    loop = asyncio.get_running_loop()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        slow.setblocking(False)
        await loop.sock_connect(slow, ("127.0.0.1", door.port))
        await loop.sock_sendall(slow, b"GET /huge.bin HTTP/1.1\r\nHost: app.test\r\n\r\n")
        slow.shutdown(socket.SHUT_WR)
        await eventually(lambda: any(each._half_closed for each in door.listener.connections))
        (connection,) = (each for each in door.listener.connections if each._half_closed)
        got, more = 0, b"more"
        for _ in range(5):
            hand.goes(0.6)
            before = connection._deadline
            while connection._deadline <= before:
                got += len(await loop.sock_recv(slow, 65_536))
        while more:
            more = await loop.sock_recv(slow, 8 << 20)
            got += len(more)
    assert got > 200_000_000


def held(root) -> int:
    """Descriptors of files below ``root``, and of sockets that have another one; all else is not ours to count."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(each.readlink()))
    sockets = [link for link in links if link.startswith("socket:")]
    return sum(link.startswith(str(root)) for link in links) + len(sockets) - len(set(sockets))


async def test_a_large_file_arrives_and_ranges_hold(lab, way):
    """All of it, a part from the middle, the end, and a range that is not there; the connection goes on."""
    door, client = lab

    whole = await client.get("/big.bin")
    part = await client.get("/big.bin", "Range: bytes=1000000-1999999")
    tail = await client.get("/big.bin", "Range: bytes=-5")
    beyond = await client.get("/big.bin", "Range: bytes=3000000-")
    stale = await client.get("/big.bin", "Range: bytes=0-4", 'If-Range: "other"')
    fresh = await client.get("/big.bin", "Range: bytes=0-4", f"If-Range: {whole.value(b'etag').decode()}")

    assert whole.body == BIG
    assert (part.status, part.body) == (206, BIG[1_000_000:2_000_000])
    assert part.value(b"content-range") == b"bytes 1000000-1999999/3000000"
    assert (tail.status, tail.body) == (206, BIG[-5:])
    assert (beyond.status, beyond.value(b"content-range")) == (416, b"bytes */3000000")
    assert (stale.status, len(stale.body)) == (200, 3_000_000)
    assert (fresh.status, fresh.body) == (206, BIG[:5])
    await eventually(lambda: len(door.live) == 0)


async def test_nothing_overtakes_anything(lab, way, monkeypatch):
    """Whatever waits for its client, the file behind it waits for all of its bytes, and it goes before what follows."""
    door, _ = lab
    waiting: list[Any] = []
    real = os.sendfile

    def sendfile(out, *given):
        transports = [each.transport for each in door.listener.connections]
        ours = [each for each in transports if _is_same(each.get_extra_info("socket").fileno(), out)]
        waiting.extend(each.get_write_buffer_size() for each in ours)
        return real(out, *given)

    monkeypatch.setattr(os, "sendfile", sendfile)
    small, big = (
        f"GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n".encode() for path in ("/small.txt", "/big.bin")
    )
    order = [*[SMALL] * 5, BIG, SMALL]

    sock = socket.create_connection(("127.0.0.1", door.port))
    await eventually(lambda: len(door.listener.connections) == 2)
    for each in door.listener.connections:  # so that the kernel takes what is sent in many small steps
        each.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    def ask() -> list[bytes]:
        """From a thread, so that what is sent is read at the same time."""
        with sock, sock.makefile("rb") as reader:
            sock.sendall(b"".join(small if body is SMALL else big for body in order))
            return [_body(reader) for _ in order]

    assert await asyncio.to_thread(ask) == order
    assert set(waiting) == {0}


def _is_same(one: int, other: int) -> bool:
    """Whether two descriptors are one socket."""
    return os.fstat(one).st_ino == os.fstat(other).st_ino


def _body(reader: io.BufferedReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        assert line, head
        head += line
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head[:100]
    (length,) = re.findall(rb"Content-Length: ([0-9]+)", head)
    return reader.read(int(length))


async def test_afterwards_the_connection_is_as_it_was(lab, way):
    """What waits for a client is bounded as before, not forbidden."""
    door, client = lab
    await client.get("/big.bin")
    (connection,) = door.listener.connections

    assert connection.transport.get_write_buffer_limits() == (16_384, 65_536)


async def test_a_client_that_reads_slowly_gets_it_all(lab, way):
    """The sender waits for room as often as it must."""
    _, client = lab
    await client.ask("/big.bin")
    await client.head()

    body = b""
    while len(body) < len(BIG):
        body += await client.reader.read(200_000)
        await asyncio.sleep(0.005)

    assert body == BIG


async def test_many_at_once(lab, way):
    """Each gets its own."""
    door, _ = lab
    clients = [await door.client() for _ in range(8)]

    answers = await asyncio.gather(*(client.get(f"/big.bin?{at}") for at, client in enumerate(clients)))

    assert all(answer.body == BIG for answer in answers)
    for client in clients:
        await client.close()


async def test_r22_a_file_under_way_is_broken_off_when_its_session_ends(lab, root, way):
    """A slow download is visibly incomplete after sign-out, with a reset, and lets go of everything at once."""
    door, client = lab
    await client.ask("/huge.bin")
    await client.head()
    await eventually(lambda: len(door.live) == 1)
    await waits(door, way)
    assert held(root)

    assert door.live.end("s", "signed out") == 1

    await eventually(lambda: not held(root))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(200_000_000)
    assert len(door.live) == 0


async def test_a_file_that_shrinks_is_broken_off(lab, root, way):
    """A file that becomes shorter while it is sent never looks complete."""
    _, client = lab
    await client.ask("/huge.bin")
    await client.head()
    os.truncate(root / "huge.bin", 1_000)

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(200_000_000)


async def test_a_disk_that_fails_breaks_it_off(lab, way, monkeypatch):
    """No error page in the middle of a file, where it would pass for content."""
    _, client = lab

    def fail():
        raise OSError(errno.EIO, "Input/output error")

    name = "sendfile" if way == "sendfile" else "pread"
    calls = itertools.count()
    real = getattr(os, name)
    monkeypatch.setattr(os, name, lambda *given: fail() if next(calls) >= 2 else real(*given))
    await client.ask("/huge.bin")
    await client.head()

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(200_000_000)


async def test_a_client_that_leaves_costs_nothing(lab, root, way):
    """The file and the sender's hold on the socket are let go."""
    door, _ = lab
    leaving = await door.client()
    await leaving.ask("/huge.bin")
    await leaving.head()
    await waits(door, way)

    leaving.writer.transport.abort()

    await eventually(lambda: len(door.live) == 0)
    await eventually(lambda: not held(root))


@pytest.mark.parametrize("ends", ["session", "client"])
@pytest.mark.parametrize("way", ["sendfile"], indirect=True)
async def test_r22_what_ends_while_the_socket_is_asked_is_let_go(lab, root, way, ends, monkeypatch):
    """The end comes while a thread learns that the socket is full: there is nobody yet who could be woken."""
    door, client = lab
    full, answer = threading.Event(), threading.Event()
    real = os.sendfile

    def sendfile(*given):
        try:
            return real(*given)
        except BlockingIOError:
            full.set()
            answer.wait(PATIENCE)
            raise

    monkeypatch.setattr(os, "sendfile", sendfile)
    await client.ask("/huge.bin")
    await client.head()
    await eventually(full.is_set)

    if ends == "session":
        door.live.end("s", "signed out")
    else:
        client.writer.transport.abort()
    await eventually(lambda: not door.listener.connections)
    answer.set()

    await eventually(lambda: not held(root))


@pytest.mark.parametrize("way", ["sendfile"], indirect=True)
async def test_a_client_that_ends_its_side_is_seen_while_its_socket_is_full(lab, way):
    """The kernel says nothing of that to a sender who waits for room; the transport does."""
    door, client = lab
    await client.ask("/huge.bin")
    await client.head()
    await waits(door, way)

    client.writer.write_eof()

    await eventually(lambda: len(door.live) == 0)


async def test_a_client_that_takes_nothing_is_cut_off(root, way):
    """After the idle limit, visibly."""
    async with opened(root, idle=0.2) as (door, client):
        await client.ask("/huge.bin")
        await client.head()
        await eventually(lambda: len(door.live) == 0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(200_000_000)


async def test_a_gateway_that_stops_breaks_it_off(root, way):
    """Cut with everything else, and every descriptor is closed."""
    async with opened(root) as (door, client):
        await client.ask("/huge.bin")
        await client.head()
        await waits(door, way)
        await door.listener.shutdown(0.1)
        await eventually(lambda: not held(root))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(200_000_000)


async def test_under_tls_it_is_copied(root, monkeypatch):
    """sendfile would send clear text."""
    monkeypatch.setattr(os, "sendfile", None)
    authority = Authority.make(root)
    door = await Door(Route("/", f"file://{root}")).start()
    assert door.listener is not None
    server = await asyncio.get_running_loop().create_server(
        door.listener, "127.0.0.1", 0, ssl=authority.server("localhost")
    )
    trusting = ssl.create_default_context(cafile=authority.file)
    port = server.sockets[0].getsockname()[1]
    client = Client(*await asyncio.open_connection("localhost", port, ssl=trusting))

    answers = [await client.get("/big.bin") for _ in range(2)]

    assert [answer.body for answer in answers] == [BIG, BIG]
    await client.close()
    server.close()
    await door.close()
