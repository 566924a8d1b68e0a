"""Pure work of a check over gRPC (`tests.bench.pure`): Envoy's bytes go in, and the bytes of the answer come out."""

from __future__ import annotations

import asyncio
import struct
import sys
import time

from hpack import Encoder, NeverIndexedHeaderTuple

from gateway.app.wiring import Gateway
from gateway.core import dice
from gateway.web.ext_authz.connection import CallerConnection
from gateway.web.ext_authz.listener import QuestionListener
from gateway.web.ext_authz.messages_pb2 import (
    Attributes,
    CheckRequest,
    CheckResponse,
    Header,
    HeaderList,
    HttpRequest,
    RequestAttributes,
)

PEER = "127.0.0.2"
"""Where Envoy asks from; nginx is at 127.0.0.1."""
_CALL = (
    (":method", "POST"), (":scheme", "http"),
    NeverIndexedHeaderTuple(":path", "/envoy.service.auth.v3.Authorization/Check"),
    (":authority", "questions"), ("te", "trailers"), ("content-type", "application/grpc"),
    ("x-envoy-internal", "true"), ("x-forwarded-for", "192.0.2.2"), ("grpc-timeout", "5000m"),
)  # fmt: skip
"""What Envoy says of each call; its encoder puts no path into the table."""
_WINDOW = 2**31 - 1
_HEADERS, _DATA, _SETTINGS, _WINDOW_UPDATE = 1, 0, 4, 8


class Wire(asyncio.Transport):
    """A connected transport that keeps what was written last."""

    def __init__(self) -> None:
        super().__init__({"peername": (PEER, 1)})
        self.last = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = bytes(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        sys.exit("pure: the connection for questions was closed")

    abort = close


class Caller:
    """One connection of an Envoy, with room for every answer."""

    def __init__(self, gateway: Gateway) -> None:
        questions = gateway.questions
        assert questions is not None, "pure configures a listener for them"
        self._listener = QuestionListener(
            questions._ask, gateway.access_log, longest=128 * 1024, seconds=30.0, keep_alive=float("inf")
        )
        self.wire = Wire()
        self._connection = CallerConnection(self._listener)
        self._connection.connection_made(self.wire)
        self._encoder = Encoder()
        self._stream = -1
        room = struct.pack(">HI", 4, _WINDOW)
        self._connection.data_received(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, room)
            + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW - 65_535))
            + _frame(_SETTINGS, 1, 0, b"")
        )

    def close(self) -> None:
        self._listener.clock.close()

    def requests(self, cookie: str, host: str, path: str, headers: str, count: int) -> list[bytes]:
        """Calls in the order in which they have to be made."""
        pairs = [line.split(": ", 1) for line in (*headers.split("\r\n"), f"Cookie: {cookie}")]
        made = []
        for n in range(count):
            target = path.replace("{}", f"{dice.token(4)}{n}")
            known = ((":method", "GET"), (":path", target), (":scheme", "https"), (":authority", host))
            lines = [
                Header(key=name.lower().encode(), raw_value=value.encode())
                for name, value in (*known, *pairs)
            ]
            http = HttpRequest(
                method=b"GET", path=target.encode(), host=host.encode(), header_map=HeaderList(headers=lines)
            )
            message = CheckRequest(attributes=Attributes(request=RequestAttributes(http=http)))
            made.append(self._call(message.SerializeToString()))
        return made

    def _call(self, message: bytes) -> bytes:
        self._stream += 2
        begin = _frame(_HEADERS, 4, self._stream, self._encoder.encode(_CALL))
        return begin + _frame(_DATA, 1, self._stream, struct.pack(">BI", 0, len(message)) + message)

    async def check(self, title: str, request: bytes) -> None:
        """It may pass."""
        self.wire.last = b""
        self._connection.data_received(request)
        for _ in range(20):
            await asyncio.sleep(0)
        if not self._passed(self.wire.last):
            sys.exit(f"pure: {title}: answered {self.wire.last!r}")

    @staticmethod
    def _passed(answer: bytes) -> bool:
        while answer:
            size, kind = int.from_bytes(answer[:3]), answer[3]
            if kind == _DATA:
                return CheckResponse.FromString(answer[9 + 5 : 9 + size]).HasField("ok_response")
            answer = answer[9 + size :]
        return False

    def run(self, requests: list[bytes]) -> float:
        """Seconds for all of them."""
        ask = self._connection.data_received
        began = time.perf_counter()
        for request in requests:
            ask(request)
        return time.perf_counter() - began


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload
