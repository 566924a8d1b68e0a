"""The smallest door: the gateway's listener, and a forwarder that is handed everything without a gate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace

from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.http.facts import DoorRules, build
from gateway.core.http.routes import Route
from gateway.core.session.identity_headers import IdentityOptions
from gateway.core.session.session import Principal, Session
from gateway.proxy.live import LiveConnections
from gateway.web.door.listener import DoorLimits, Listener
from gateway.web.forward.forwarder import Forwarder
from gateway.web.messages import Answer, Request, Sent
from gateway.web.messages import Response as Made
from gateway.web.pages.errors import refuse_error
from tests.fakes.ample import CONNECT
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import FakeUpstream

STATUS = {"connect_failed": 502, "broken_response": 502, "upstream_busy": 503}
FAR = 4_000_000_000
LIMITED = ("connect", "first_byte", "idle", "stream", "client_body", "body", "keep_alive")
"""What a route may have for itself."""
LIMITS = DoorLimits(8_190, 0, half_closed=0.05)
"""Those of the gateway, but that a client that has left is not waited for."""

REST = 0.3
"""Seconds without a change after which something has come to rest."""


def session(sid: str = "sid-1", *, absolute_until: int = FAR) -> Session:
    """A session of alice's."""
    return Session(
        sid=sid,
        log_id="log",
        principal=Principal(issuer="https://idp", subject="alice", user="alice"),
        aliases=("sub:https://idp|alice",),
        login_at=0,
        seen=0,
        idle_until=FAR,
        absolute_until=absolute_until,
    )


class Settler:
    """Gives out what a function answers, as the gateway's door does."""

    def __init__(
        self, answer: Callable[[Request], Answer], refused: Callable[[Exception], Made] | None
    ) -> None:
        self.answer = answer
        self.refused = refused

    def handle(self, request: Request) -> None:
        request.door = self
        answer: Answer | Exception
        try:
            answer = self.answer(request)
        except Exception as error:
            answer = error
        if answer is not None:
            self.settle(request, answer)

    def settle(self, request: Request, answer: Answer | Exception) -> None:
        if isinstance(answer, Exception):
            if self.refused is None:
                raise answer
            answer = self.refused(answer)
        if isinstance(answer, Made | Sent):
            request.connection.respond(request, answer)
        elif answer is not None:
            request.connection.wait(self._awaited(request, answer))

    async def _awaited(self, request, answer) -> None:
        try:
            outcome = await answer
        except Exception as error:
            outcome = error
        self.settle(request, outcome)


def listener(
    answer: Callable[[Request], Answer],
    limits: DoorLimits | None = None,
    refused: Callable[[Exception], Made] | None = None,
) -> Listener:
    """The gateway's listener with another door behind it."""
    return Listener(Settler(answer, refused).handle, limits or LIMITS, _page)


def _page(_client: str, error: DownstreamError) -> Made:
    return refuse_error(None, error)


class Door:
    """Serves one forwarder on loopback."""

    def __init__(
        self,
        *routes: Route,
        identity=(),
        options=None,
        who=None,
        set_cookies=(),
        alive=None,
        tab_script="",
    ):
        self.live = LiveConnections()
        self.identity = identity
        self.session = who
        self.set_cookies = set_cookies
        extra = {} if alive is None else {"alive": alive}
        self.forwarder = Forwarder(
            # Nobody gives up connecting, unless the test is about that.
            [replace(each, connect=PATIENCE) if each.connect == CONNECT else each for each in routes],
            live=self.live,
            identity=options or IdentityOptions(),
            tab_script=tab_script,
            **extra,
        )
        self.errors: list[GatewayError] = []
        self.listener: Listener | None = None
        self.server: asyncio.Server | None = None
        self.port = 0

    def handle(self, request: Request) -> Answer:
        rules = DoorRules(scheme="https", authorities=frozenset({"app.test", f"127.0.0.1:{self.port}"}))
        facts = build(request.method, request.target, request.headers, request.peer, rules)
        route = self.forwarder.route_for(facts.path)
        return self.forwarder.forward(
            request, facts, self.session, route, identity=self.identity, set_cookies=self.set_cookies
        )

    def refused(self, error: Exception) -> Made:
        assert isinstance(error, GatewayError), error
        self.errors.append(error)
        default = 400 if isinstance(error, DownstreamError) else 504
        return Made(STATUS.get(error.code, default), body=error.code.encode())

    async def start(self) -> Door:
        self.listener = listener(self.handle, refused=self.refused)
        self.server = await asyncio.get_running_loop().create_server(self.listener, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        assert self.server is not None
        assert self.listener is not None
        self.server.close()
        await self.forwarder.close()
        await self.listener.shutdown(0.1)

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))


class Client:
    """A raw HTTP/1.1 client: bytes out, bytes in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(
        self, target: str = "/", *headers: str, method: str = "GET", version: str = "1.1"
    ) -> Response:
        await self.ask(target, *headers, method=method, version=version)
        return await self.response(head_only=method == "HEAD")

    async def ask(self, target: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> None:
        lines = (f"{method} {target} HTTP/{version}", "Host: app.test", *headers, "", "")
        await self.send("\r\n".join(lines).encode("latin-1"))

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)

    async def response(self, *, head_only: bool = False) -> Response:
        return await asyncio.wait_for(self._response(head_only=head_only), PATIENCE)

    async def _response(self, *, head_only: bool) -> Response:
        found = Response(await self.reader.readuntil(b"\r\n\r\n"))
        if head_only or found.status in {204, 304} or found.status < 200:
            return found
        length = found.value(b"content-length")
        if found.value(b"transfer-encoding") == b"chunked":
            await self._chunks(found)
        elif length is not None:
            found.body = await self.reader.readexactly(int(length))
        else:
            found.body = await self.reader.read()
        return found

    async def _chunks(self, found: Response) -> None:
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            found.body += await self.reader.readexactly(size)
            found.pieces += 1
            assert await self.reader.readexactly(2) == b"\r\n"
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            found.trailers.append(line.rstrip())

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def until_reset(self) -> bytes:
        """What comes before the connection is reset; a TimeoutError or an AssertionError where it is not."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65_536), PATIENCE):
                found += piece
            raise AssertionError("ended, not reset")
        return found

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Response:
    """A response, in parts."""

    def __init__(self, head: bytes) -> None:
        self.raw = head
        self.body = b""
        self.trailers: list[bytes] = []
        self.pieces = 0
        first, *lines = head[:-4].split(b"\r\n")
        self.status = int(first.split()[1])
        self.reason = first.split(b" ", 2)[2]
        self.headers = [(name, value[1:]) for name, _, value in (line.partition(b":") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: bytes) -> bytes | None:
        values = self.values(name)
        return values[0] if values else None


async def open_lab():
    """A fixture's body: ``await lab(script, …)`` gives a door in front of a fake upstream, and a client."""
    stack = contextlib.AsyncExitStack()

    async def build(script, **options):
        upstream = await FakeUpstream(script).start()
        stack.push_async_callback(upstream.close)
        limits = {key: options.pop(key) for key in LIMITED if key in options}
        door = await Door(Route("/", upstream.url, **limits), **options).start()
        stack.push_async_callback(door.close)
        client = await door.client()
        stack.push_async_callback(client.close)
        return door, upstream, client

    async with stack:
        yield build


def narrow(sock: socket.socket) -> None:
    """Let the kernel keep little on this socket's ways, and on those of whatever a listening one accepts: else how much it
    takes is a setting of the machine's, of tens of megabytes on some.
    """
    for way in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, way, 262_144)


async def comes_to_rest(measure):
    """Wait until ``measure()`` does not change any more; what it then is."""
    before = None
    while (found := measure()) != before:
        before = found
        await asyncio.sleep(REST)
    return found


async def eventually(condition, seconds=PATIENCE):
    """Wait until ``condition()`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
