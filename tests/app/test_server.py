"""One replica as a real process: draining, listeners, TLS; and the pieces of draining by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import math
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app.accepting import listening_socket, take_queued
from gateway.app.server import drain, keep
from gateway.app.tls import tls_context
from gateway.proxy.live import EVENTS, LiveConnections
from gateway.settings.addresses import ListenAddress
from gateway.web.door.connection import Connection
from gateway.web.door.listener import Listener
from gateway.web.messages import Request, Response
from tests.fakes.browser import Loopback
from tests.fakes.door import eventually, listener
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import ACCEPTS, Serving, serving


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Whoever has not asked yet is waited for, however slow it is, until this is called."""
    of_the_door = "gateway.web.door.connections.NEXT_REQUEST"
    monkeypatch.setattr(of_the_door, math.inf)
    return lambda: monkeypatch.setattr(of_the_door, -math.inf)


async def test_guarantee_6_sigterm_drains(tmp_path: Path) -> None:
    """Unready at once; a slow response and an upload under way are completed; then the process ends with 0."""
    async with serving(tmp_path, accept_for=ACCEPTS) as gateway:
        await drains(gateway)


async def drains(gateway: Serving) -> None:
    browser = gateway.browser()
    await gateway.sign_in(browser)
    headers = {"Cookie": browser.cookie_header(gateway.app), "Origin": gateway.app}

    async def body() -> AsyncIterator[bytes]:
        for _ in range(15):
            yield b"x" * 1000
            await asyncio.sleep(0.1)

    async def text(method: str, path: str, data: object = None) -> str:
        async with gateway.client.request(method, gateway.app + path, headers=headers, data=data) as response:
            return f"{response.status} {await response.text()}"

    slow = asyncio.create_task(text("GET", "/api/slow"))
    upload = asyncio.create_task(text("POST", "/api/upload", body()))
    await gateway.application.asked.wait()
    gateway.process.send_signal(signal.SIGTERM)
    assert (await gateway.until("/readyz", 503))["phase"] == "draining"
    assert await text("GET", "/api/quick") == "200 quick"
    assert await upload == "200 15000 bytes"
    assert not slow.done()
    gateway.application.slow.set()
    assert await slow == "200 slow but whole"
    assert await gateway.ends() == 0


def test_the_collector_passes_over_what_the_start_has_made() -> None:
    """It was off while there was nothing to collect, and is on again for what comes."""
    gc.collect()  # what is garbage shall not be kept
    gc.disable()
    try:
        made = [[at] for at in range(1_000)]
        before = gc.get_freeze_count()
        keep()
        assert gc.get_freeze_count() >= before + len(made)
        assert gc.isenabled()
    finally:
        gc.enable()  # and nothing is unfrozen: all other tests in this process would be looked through with each collection


@pytest.mark.parametrize("workers", [1, 2])
async def test_access_lines_are_soon_there_and_none_is_lost_at_the_end(tmp_path: Path, workers: int) -> None:
    """They are written together, but within a second; what waits when the process is told to stop is written too."""
    async with serving(tmp_path, workers=workers, replaced={"access: false": "access: true"}) as gateway:

        def told() -> list[str]:
            return [line["path"] for line in gateway.lines("access")]

        async def ask(paths: list[str]) -> None:
            await asyncio.gather(*(gateway.status("", path) for path in paths))

        early, late = ([f"/api/{when}/{n}" for n in range(40)] for when in ("early", "late"))
        await ask(early)
        await eventually(lambda: sorted(told()) == sorted(early), seconds=PATIENCE)
        await ask(late)
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.ends() == 0
        assert sorted(told()) == sorted(early + late)


async def test_a_drain_says_goodbye_to_what_would_never_end(gateway: Serving) -> None:
    """A WebSocket is closed with 1001, an event stream ends between two events, an idle connection is closed."""
    browser = gateway.browser()
    await gateway.sign_in(browser)
    headers = {"Cookie": browser.cookie_header(gateway.app), "Origin": gateway.app}
    sock = await gateway.client.ws_connect(f"{gateway.app}/api/live", headers=headers)
    await sock.send_str("hello")
    assert (await sock.receive(PATIENCE)).data == "echo hello"
    events = await gateway.client.get(f"{gateway.app}/api/events", headers=headers)
    assert await events.content.readline() == b"data: tick\n"
    port = int(gateway.app.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/quick HTTP/1.1\r\nHost: app.localhost:{port}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    gateway.process.send_signal(signal.SIGTERM)
    message = await sock.receive(PATIENCE)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    rest = await asyncio.wait_for(events.content.read(), PATIENCE)
    assert rest.endswith(b"data: tick\n\n")
    assert b"logged-out" not in rest
    await asyncio.wait_for(reader.read(), PATIENCE)
    await left(writer)
    assert await gateway.ends(within=PATIENCE) == 0


async def test_a_response_during_the_drain_asks_the_client_to_leave(tmp_path: Path) -> None:
    """Forwarded responses and pages of our own carry Connection: close, so that nobody stays on a kept connection."""
    async with serving(tmp_path, accept_for=ACCEPTS) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        cookie = {"Cookie": browser.cookie_header(gateway.app)}
        gateway.process.send_signal(signal.SIGTERM)
        await gateway.until("/readyz", 503)
        kept = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Loopback()),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with kept:
            for headers, status in ((cookie, 200), ({}, 401)):
                async with kept.get(f"{gateway.app}/api/quick", headers=headers) as response:
                    assert (response.status, response.headers["Connection"]) == (status, "close")


async def test_the_admin_listener_of_a_single_process_lists_its_sessions(gateway: Serving) -> None:
    """With one worker the operator sees who has come by."""
    browser = gateway.browser()
    await gateway.sign_in(browser)
    _, told = await gateway.operate("GET", "/api/sessions")
    assert [session["email"] for session in told["sessions"]] == ["alice@example.com"]


async def left(writer: asyncio.StreamWriter) -> None:
    """The client goes."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def answering(answer: str = "here") -> Listener:
    return listener(lambda _: Response(body=answer.encode()))


async def test_what_the_kernel_has_queued_is_answered(hurried: Callable[[], None]) -> None:
    """A client that was connected before the close gets its answer, though nobody had accepted it."""
    sock = listening_socket(ListenAddress("127.0.0.1", 0), "listen")
    address = sock.getsockname()
    reader, writer = await asyncio.open_connection(*address)
    doors = answering()
    await take_queued(sock, doors, None)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    draining = asyncio.create_task(drain(doors, LiveConnections(), PATIENCE))
    await asyncio.sleep(0.2)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    hurried()
    await asyncio.wait_for(reader.read(), PATIENCE)
    await draining
    await left(writer)


async def test_what_outlasts_the_drain_is_cut() -> None:
    """A client that never finishes does not keep the process alive."""
    began, forever = asyncio.Event(), asyncio.Event()

    async def handle(_: Request) -> Response:
        began.set()
        await forever.wait()
        raise AssertionError

    doors = listener(handle)
    server = await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await began.wait()
    server.close()
    await asyncio.wait_for(drain(doors, LiveConnections(), 0.3), PATIENCE)
    assert await reader.read() == b""
    await left(writer)


async def test_what_begins_to_live_long_during_the_drain_leaves_as_well() -> None:
    """A stream that was still being asked for when the drain began is ended when it begins."""
    live, gone = LiveConnections(), []
    doors = answering()
    server = await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await eventually(lambda: doors.connections)
    server.close()
    draining = asyncio.create_task(drain(doors, live, PATIENCE))
    await asyncio.sleep(0)
    live.add("", lambda _: None, kind=EVENTS, leave=lambda: gone.append("gone"))
    await draining
    assert gone == ["gone"]
    await left(writer)


async def test_a_connection_knows_whether_it_is_idle() -> None:
    """It carries a request from its first byte to the last of its answer."""
    seen: list[bool] = []

    async def handle(request: Request) -> Response:
        assert isinstance(request.connection, Connection)
        seen.append(request.connection.idle)
        return Response()

    doors = listener(handle)
    server = await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readline()
    (connection,) = doors.connections
    await eventually(lambda: connection.idle)
    assert (seen, connection.idle) == ([False], True)
    server.close()
    await left(writer)
    await doors.shutdown(0.1)


def certified(directory: Path) -> SimpleNamespace:
    """Settings with a certificate of our own for app.test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app.test")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("app.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files = {"cert_file": directory / "cert.pem", "key_file": directory / "key.pem"}
    return SimpleNamespace(tls=SimpleNamespace(enabled=True, **files))


async def test_tls_connections_in_the_queue_are_answered_too(
    tmp_path: Path, hurried: Callable[[], None]
) -> None:
    """Their handshake is still to come when they are taken; nothing older than TLS 1.2 is spoken."""
    context = tls_context(certified(tmp_path))  # type: ignore[arg-type]  # only its tls section is read
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    sock = listening_socket(ListenAddress("127.0.0.1", 0), "listen")
    connecting = asyncio.create_task(
        asyncio.open_connection(*sock.getsockname(), ssl=trusting, server_hostname="app.test")
    )
    await asyncio.sleep(0.1)
    doors = answering()
    await take_queued(sock, doors, context)
    reader, writer = await connecting
    draining = asyncio.create_task(drain(doors, LiveConnections(), PATIENCE))
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    hurried()
    await draining
    await left(writer)
