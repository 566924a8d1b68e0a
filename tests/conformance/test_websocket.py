"""WebSockets through the door, by the bytes on both sides: what one end sends is what the other gets, and no more."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.conformance import strict
from tests.conformance.recorder import Call, plain
from tests.conformance.wire import Door
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import frame

ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
MASK = b"\x9a\x01\xfe\x33"
_RESET = struct.pack("ii", 1, 0)


class End:
    """One side's socket; ``mask`` is what its frames are masked with."""

    def __init__(self, sock: socket.socket, mask: bytes | None, unread: bytes = b"") -> None:
        self.sock = sock
        self.mask = mask
        self.unread = unread
        sock.settimeout(PATIENCE)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_each(self, data: bytes) -> None:
        """Byte by byte."""
        for at in range(len(data)):
            self.sock.sendall(data[at : at + 1])

    def frame(self, opcode: int, payload: bytes) -> bytes:
        return frame(opcode, payload, mask=self.mask)

    def read(self, size: int) -> bytes:
        """So many bytes, or those that came before the end."""
        while len(self.unread) < size and (data := self._more()):
            self.unread += data
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    def rest(self) -> bytes:
        """All that comes until the other side ends, in order or not."""
        return self.read(1 << 40)

    def finish(self) -> None:
        """Send no more, but go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def vanish(self, *, reset: bool) -> None:
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def _more(self) -> bytes:
        try:
            return self.sock.recv(1 << 16)
        except ConnectionError:
            return b""


@dataclass
class Tunnel:
    """Both ends, and the heads that opened it."""

    client: End
    application: End
    asked: strict.Message
    answered: strict.Message

    def ends(self, who: str) -> tuple[End, End]:
        """``who`` first."""
        pair = (self.client, self.application)
        return pair if who == "client" else pair[::-1]


@contextmanager
def tunnel(door: Door, *headers: str, answer: bytes = ACCEPT) -> Iterator[Tunnel]:
    """A WebSocket of somebody signed in; the test itself plays both ends."""
    calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
    over = threading.Event()

    def script(call: Call) -> None:
        call.body()
        call.send(answer)
        calls.put(call)
        over.wait(PATIENCE)
        call.close()

    with door.open() as wire:
        wire.send(door.request(door.upstream.on(script), *_handshake(door), *headers))
        answered = wire.head()
        call = calls.get(timeout=PATIENCE)
        try:
            application = End(call._connection.sock, None, call._connection.unread)
            yield Tunnel(End(wire.sock, MASK, wire.unread), application, call.head, answered)
        finally:
            over.set()


def _handshake(door: Door) -> tuple[str, ...]:
    return (*HANDSHAKE, f"Origin: http://{door.authority}")


def strange(end: End) -> bytes:
    """Frames that an honest end may send or not: none of them is the gateway's business."""
    bit, mask = (0x80, end.mask) if end.mask else (0, b"")
    return b"".join(
        [
            end.frame(9, b"ping \x00\xff"),
            end.frame(10, b"nobody asked"),
            b"\x41" + end.frame(1, b"deflated")[1:],  # RSV1, and more fragments follow
            end.frame(9, b""),
            b"\x80" + end.frame(0, "Straße".encode())[1:],
            b"\xfb" + end.frame(11, b"unknown")[1:],
            b"\x82" + bytes((bit | 126, 0, 3)) + mask + b"abc",  # lengths that are longer than they need be
            b"\x82" + bytes((bit | 127, 0, 0, 0, 0, 0, 0, 0, 3)) + mask + b"abc",
            end.frame(1, b"\xff is not UTF-8"),
            frame(1, b"masked the wrong way", mask=None if end.mask else MASK),
        ]
    )


@pytest.mark.parametrize("who", ["client", "application"])
def test_every_frame_passes_byte_for_byte(door: Door, who: str) -> None:
    """Pings, pongs, fragments, reserved bits and broken frames with their masks, at once and cut at every byte."""
    with tunnel(door) as made:
        sender, receiver = made.ends(who)
        data = strange(sender)
        sender.send(data)
        assert receiver.read(len(data)) == data
        sender.send_each(data)
        assert receiver.read(len(data)) == data


@pytest.mark.parametrize("who", ["client", "application"])
@pytest.mark.parametrize(
    "payload",
    [b"", b"\x03\xe8done", b"\x03\xe9going away", b"\x03\xf3" + "Grüße".encode(), b"\x0b\xb8" + b"r" * 123, b"\x11\x31mine", b"\x13\x87"],
    ids=lambda payload: str(int.from_bytes(payload[:2])),
)  # fmt: skip
def test_a_close_and_its_answer_pass_as_they_are(door: Door, who: str, payload: bytes) -> None:
    """Whatever the code and the reason, whoever begins; the gateway adds none, and ends after the application."""
    with tunnel(door) as made:
        first, second = made.ends(who)
        close, answer = first.frame(8, payload), second.frame(8, payload)
        first.send(close)
        assert second.read(len(close)) == close
        second.send(answer)
        assert first.read(len(answer)) == answer
        made.application.vanish(reset=False)
        assert made.client.rest() == b""


@pytest.mark.parametrize("who", ["client", "application"])
def test_after_a_close_and_its_end_one_side_may_still_hear_the_other(door: Door, who: str) -> None:
    """FIN right behind its Close: the other side sees both, and what it was sending comes, with its own Close."""
    with tunnel(door) as made:
        first, second = made.ends(who)
        close = first.frame(8, b"\x03\xe8done")
        first.send(close)
        first.finish()
        assert second.rest() == close
        more = second.frame(2, bytes(300_000)) + second.frame(8, b"\x03\xe8")
        second.send(more)
        second.finish()
        assert first.rest() == more


@pytest.mark.parametrize("who", ["client", "application"])
def test_an_end_without_a_close_is_the_end(door: Door, who: str) -> None:
    """FIN alone leaves nothing to wait for, even where the other side goes on."""
    with tunnel(door) as made:
        first, second = made.ends(who)
        first.send(first.frame(1, b"last words"))
        first.finish()
        assert second.rest() == first.frame(1, b"last words")
        assert first.rest() == b""


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("sent", [b"\x82\x7e\x03\xe8half of it", b"\x82", b"\x81\x02hi", b""])
@pytest.mark.parametrize("who", ["client", "application"])
def test_an_end_that_vanishes_is_seen_to_vanish(door: Door, who: str, sent: bytes, reset: bool) -> None:
    """In mid-frame, in mid-header or between two frames: the other side's connection ends, and no Close is made up."""
    with tunnel(door) as made:
        gone, left = made.ends(who)
        gone.send(sent)
        assert left.read(len(sent)) == sent
        gone.vanish(reset=reset)
        assert left.rest() == b""


def test_the_handshakes_own_headers_pass_as_they_are(door: Door) -> None:
    """Subprotocols and extensions line by line, in their order, with their spelling and blanks, both ways."""
    offered = ("Sec-WebSocket-Protocol: v12.stomp,v11.stomp ,  chat", "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
               "SEC-WebSocket-Extensions: x-own;a=\"b, c\" , permessage-deflate;server_no_context_takeover", "Sec-WebSocket-Protocol: more")  # fmt: skip
    taken = (b"Sec-WebSocket-Accept: not even right=", b"Sec-Websocket-PROTOCOL: chat",
             b"Sec-WebSocket-Extensions: permessage-deflate;  client_max_window_bits=15", b"Sec-WebSocket-Extensions: x-own", b"X-Served-By: a")  # fmt: skip
    answer = b"\r\n".join([ACCEPT[:-4], *taken, b"", b""])
    with tunnel(door, *offered, answer=answer) as made:
        lines = made.asked.raw.split(b"\r\n")
        assert [line for line in lines if line.lower().startswith(b"sec-websocket-")] == [
            line.encode() for line in (*HANDSHAKE, *offered) if line.lower().startswith("sec-websocket-")
        ]
        assert made.answered.start[1:] == (b"101", b"Switching Protocols")
        assert [line for line in made.answered.raw.split(b"\r\n") if line in taken] == list(taken)


@pytest.mark.parametrize(
    "refusal",
    [
        plain(b"who are you?", b"WWW-Authenticate: Bearer", status=b"401 Unauthorized"),
        plain(b"not you", b"Content-Type: text/plain", status=b"403 Forbidden"),
        plain(b"", b"Sec-WebSocket-Version: 8, 13", status=b"426 Upgrade Required"),
        b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n",
    ],
    ids=lambda refusal: refusal[9:12].decode(),
)
def test_a_refused_handshake_is_an_ordinary_response(door: Door, refusal: bytes) -> None:
    """Its status, headers and body pass, and the connection can try again."""
    theirs, _ = strict.response(refusal)
    with door.open() as wire:
        wire.send(door.request(door.upstream.on(refusal), *_handshake(door)))
        answer = wire.response()
        assert (answer.status, answer.body) == (theirs.status, theirs.body)
        assert {line for line in theirs.headers if line[0] != b"Transfer-Encoding"} <= set(answer.headers)
        assert wire.get(door.upstream.on(plain(b"still here"))).body == b"still here"
