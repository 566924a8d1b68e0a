"""A caller that asks over gRPC, by h2 alone: it can say whatever a test wants, and what no gRPC library would."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError

from gateway.web.ext_authz.messages_pb2 import (
    Attributes,
    CheckRequest,
    CheckResponse,
    Header,
    HttpRequest,
    RequestAttributes,
)
from tests.fakes.patience import PATIENCE

CHECK = "/envoy.service.auth.v3.Authorization/Check"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"


def question(
    target: str = "/reports",
    *,
    host: str = "app.localhost:8080",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """What Envoy would send, with its headers as a map."""
    pairs = [Header(key=name.encode(), value=value.encode("latin-1")) for name, value in headers]
    http = HttpRequest(method=method.encode(), path=target.encode(), host=host.encode(), headers=pairs)
    return CheckRequest(attributes=Attributes(request=RequestAttributes(http=http))).SerializeToString()


def framed(message: bytes) -> bytes:
    """A message with its prefix."""
    return struct.pack(">BI", 0, len(message)) + message


@dataclass
class Told:
    """What a call was answered.

    :ivar headers: of the beginning and of the end. :ivar reset: how its stream was broken off; None: it was not.
    """

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> str | None:
        return self.headers.get("grpc-status")

    @property
    def message(self) -> bytes:
        assert self.status == "0", (self.headers, self.reset)
        assert len(self.data) == 5 + int.from_bytes(self.data[1:5])
        return self.data[5:]

    @property
    def check(self) -> CheckResponse:
        return CheckResponse.FromString(self.message)

    @property
    def passed(self) -> bool:
        """As Envoy understands it: anything else is a refusal."""
        return self.status == "0" and not self.check.status.code and self.check.HasField("ok_response")


class GrpcCaller(asyncio.Protocol):
    """One connection.

    :ivar keeps_shut: no room is made for more of an answer. :ivar left: we were asked to begin nothing more. :ivar ended: the connection is gone.
    """

    def __init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="ascii"))
        self.told: dict[int, Told] = {}
        self.left = asyncio.Event()
        self.ended = asyncio.Event()
        self.ready = asyncio.Event()
        self.keeps_shut = False
        self._holds = False

    @classmethod
    async def at(cls, port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> GrpcCaller:
        made = cls()
        await asyncio.get_running_loop().create_connection(
            lambda: made, "127.0.0.1", port, ssl=tls, server_hostname=host if tls else None
        )
        await asyncio.wait_for(made.ready.wait(), PATIENCE)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        graceful = b"\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0"
        if graceful in data:  # h2 would take it for the end of the connection
            self.left.set()
            data = data.replace(graceful, b"")
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.SettingsAcknowledged):
            self.ready.set()
        stream = getattr(event, "stream_id", None)
        told = self.told.get(stream) if stream else None
        if told is None:
            return
        if isinstance(event, events.ResponseReceived | events.TrailersReceived):
            told.headers.update(dict(event.headers))  # type: ignore[arg-type]  # text, by header_encoding
        elif isinstance(event, events.DataReceived):
            told.data += event.data
            if not self.keeps_shut:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamReset):
            told.reset = int(event.error_code)
            told.over.set()
        elif isinstance(event, events.StreamEnded):
            told.over.set()

    def flush(self) -> None:
        if not self._holds:
            self.transport.write(self.h2.data_to_send())

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """What is said meanwhile goes out in one write."""
        self._holds = True
        yield
        self._holds = False
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        for told in self.told.values():
            told.over.set()

    def begin(self, method: str = CHECK, **other: str) -> int:
        """The headers of a call; its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.told[stream] = Told()
        headers = {
            ":method": "POST", ":scheme": "http", ":path": method, ":authority": "gateway",
            "te": "trailers", "content-type": "application/grpc",
        }  # fmt: skip
        named = {name.replace("_", "-"): value for name, value in other.items()}
        self.h2.send_headers(stream, list({**headers, **named}.items()))
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, ends: bool = True) -> None:
        """A part of its message, as large as one frame may be."""
        size = self.h2.max_outbound_frame_size
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        for piece in pieces[:-1]:
            self.h2.send_data(stream, piece)
        self.h2.send_data(stream, pieces[-1], end_stream=ends)
        self.flush()

    def give_up(self, stream: int) -> None:
        """Break a call off."""
        self.h2.reset_stream(stream)
        self.flush()

    async def answer(self, stream: int) -> Told:
        """What it is answered, or what became of it."""
        told = self.told[stream]
        await asyncio.wait_for(told.over.wait(), PATIENCE)
        return told

    async def call(self, message: bytes, method: str = CHECK) -> Told:
        """One call with one message."""
        stream = self.begin(method)
        with contextlib.suppress(StreamClosedError):  # it was answered meanwhile
            self.send(stream, framed(message))
        return await self.answer(stream)

    async def ask(self, target: str = "/reports", **what: object) -> Told:
        """One question."""
        return await self.call(question(target, **what))  # type: ignore[arg-type]  # see question

    async def close(self) -> None:
        self.transport.abort()
        await asyncio.wait_for(self.ended.wait(), PATIENCE)
