"""What real applications do with HTTP: gRPC-web, large forms, expectations, answers before the end of an upload."""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance import strict
from tests.conformance.conftest import AMPLE, running
from tests.conformance.recorder import Call, Script, plain, saying
from tests.conformance.wire import Door, Wire
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE

MEGABYTE = 1 << 20


def frame(payload: bytes, *, trailers: bool = False) -> bytes:
    """One frame of gRPC-web: a message, or the trailers as the body's last part."""
    return struct.pack("!BI", 0x80 if trailers else 0, len(payload)) + payload


STATUS = frame(b"grpc-status: 0\r\ngrpc-message: OK\r\n", trailers=True)
GRPC_WEB = {
    "proto": ("application/grpc-web+proto", lambda data: data),
    "text": ("application/grpc-web-text", base64.b64encode),
}


@pytest.mark.parametrize(("kind", "coded"), GRPC_WEB.values(), ids=GRPC_WEB)
def test_grpc_web_streams_its_messages_and_its_trailers(door: Door, kind: str, coded) -> None:
    """Each message reaches the client before the next is sent, and the trailers in the body are bytes like others."""
    go_on = threading.Semaphore(0)
    pieces = [coded(frame(b"first")), coded(frame(bytes(range(256)))), coded(STATUS)]

    def script(call: Call) -> None:
        assert call.body() == coded(frame(b"\x00question"))
        call.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n"
            b"Access-Control-Expose-Headers: grpc-status, grpc-message\r\n\r\n" % kind.encode()
        )
        for piece in pieces:
            call.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            assert go_on.acquire(timeout=PATIENCE)
        call.send(b"0\r\n\r\n")

    path = door.upstream.on(script)
    asked = coded(frame(b"\x00question"))
    headers = (f"Content-Type: {kind}", "X-Grpc-Web: 1", "Grpc-Timeout: 5S", f"Content-Length: {len(asked)}")
    with door.open() as wire:
        wire.send(door.request(path, *headers, method="POST", body=asked))
        head = wire.head()
        assert (head.status, head.value(b"content-type")) == (200, kind.encode())
        for piece in pieces:
            expected = b"%x\r\n%b\r\n" % (len(piece), piece)
            while len(wire.unread) < len(expected):
                assert wire.more()
            assert wire.unread == expected
            wire.unread = b""
            go_on.release()
        while wire.unread != b"0\r\n\r\n":
            assert wire.more()
        wire.unread = b""
        assert wire.get("/").body == b"application"
    (call,) = door.upstream.find(path)
    assert (call.head.value(b"x-grpc-web"), call.head.value(b"grpc-timeout")) == (b"1", b"5S")


def test_grpc_web_may_answer_with_trailers_alone(door: Door) -> None:
    """An error without a message stands in the headers."""
    path = door.upstream.on(plain(b"", b"Content-Type: application/grpc-web+proto", b"grpc-status: 7"))
    with door.open() as wire:
        answer = wire.get(
            path, "Content-Type: application/grpc-web+proto", "Content-Length: 0", method="POST"
        )
    assert (answer.status, answer.value(b"grpc-status"), answer.body) == (200, b"7", b"")


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that takes bodies of any size, however slowly they come: no hand moves its limits."""
    with ExitStack() as opened:
        with pytest.MonkeyPatch.context() as patch:
            Hand().put(patch)
            made = running(tmp_path_factory.mktemp("unlimited"), extra=f"timeouts: {{{AMPLE}}}\n")
            door = opened.enter_context(made)
        yield door
        assert door.upstream.faults() == []


def _held_by_the_kernel() -> int:
    """Bytes that may be on their way: what the client and the gateway have sent, and what the gateway has not read. How
    much of it that is depends on how fast they were before.
    """
    most = [Path(f"/proc/sys/net/ipv4/tcp_{way}mem").read_text().split()[2] for way in "rww"]
    return sum(map(int, most))


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_form_passes_as_it_is_and_holds_its_client_back(unlimited: Door, chunked: bool) -> None:
    """Much multipart: not a byte is changed, and while the application does not read, the client cannot send."""
    part = b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
    pieces = [
        part,
        *([bytes(range(256)) * 4_096] * (_held_by_the_kernel() // MEGABYTE + 12)),
        b"\r\n--cut--\r\n",
    ]
    total = sum(map(len, pieces))
    read = threading.Event()
    found: list[str] = []

    def script(call: Call) -> None:
        assert read.wait(PATIENCE)
        digest = hashlib.sha256()
        call.count(digest.update)
        found.append(digest.hexdigest())
        call.send(plain(b"taken"))

    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {total}"
    headers = ("Content-Type: multipart/form-data; boundary=cut", framing)
    path = unlimited.upstream.on(script)
    with unlimited.open() as wire:
        wire.send(unlimited.request(path, *headers, method="POST"))
        sender = Sender(wire, [_framed(piece) for piece in pieces] + [b"0\r\n\r\n"] if chunked else pieces)
        sender.stands_still()
        assert sender.sent < total - 4 * MEGABYTE
        read.set()
        assert wire.response().body == b"taken"
        sender.thread.join(PATIENCE)
    assert found == [hashlib.sha256(b"".join(pieces)).hexdigest()]
    assert (
        unlimited.upstream.find(path)[0].head.value(b"content-type") == b"multipart/form-data; boundary=cut"
    )


class Sender:
    """Sends from a thread; ``sent``: bytes so far."""

    def __init__(self, wire: Wire, pieces: list[bytes]) -> None:
        self.sent = 0
        self._wire = wire
        self._pieces = pieces
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stands_still(self) -> None:
        """Wait until nothing more goes out."""
        before = -1
        while before != self.sent:
            before = self.sent
            time.sleep(0.3)

    def _run(self) -> None:
        for piece in self._pieces:
            self._wire.send(piece)
            self.sent += len(piece)


def _framed(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


EXPECTATIONS = {
    "length": ("1.1", ("Content-Length: 5",), (b"hello",), True),
    "chunked": ("1.1", ("Transfer-Encoding: chunked",), (b"5\r\nhello\r\n", b"0\r\n\r\n"), True),
    "another case": ("1.1", ("Content-Length: 5",), (b"hello",), True),
    "no body": ("1.1", ("Content-Length: 0",), (), False),
    "HTTP/1.0": ("1.0", ("Content-Length: 5",), (b"hello",), False),
}


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_an_expectation_is_met_where_there_is_one_to_meet(door: Door, name: str) -> None:
    """One 100 for whoever waits with a body; none without a body, and none for HTTP/1.0 (RFC 9110 §10.1.1)."""
    version, headers, body, waits = EXPECTATIONS[name]
    expect = "EXPECT: 100-CONTINUE" if name == "another case" else "Expect: 100-continue"
    path = door.upstream.on(lambda call: call.send(b"HTTP/1.1 100 Continue\r\n\r\n" + plain(call.body())))
    with door.open() as wire:
        wire.send(door.request(path, expect, *headers, method="POST", version=version))
        if waits:
            assert wire.head().status == 100
        elif body:
            time.sleep(0.2)  # long enough for a 100, which must not come
        for piece in body:
            wire.send(piece)
        assert wire.response().body == (b"hello" if body else b"")
        assert wire.interims == []
    assert door.upstream.find(path)[0].head.values(b"expect") == []


@pytest.mark.parametrize("size", [5, 3 * MEGABYTE])
def test_a_body_that_is_not_wanted_is_refused_before_it_is_sent(door: Door, size: int) -> None:
    """The application's own refusal reaches a client that waits to be told to go on, or the limit's does."""
    path = door.upstream.on(_refusing(b"403 Forbidden"))
    with door.open() as wire:
        wire.send(door.request(path, "Expect: 100-continue", f"Content-Length: {size}", method="POST"))
        answer = wire.response()
        if size > door.admits:
            assert (answer.status, wire.interims, door.upstream.find(path)) == (413, [], [])
        else:
            assert answer.status == 403


def _refusing(status: bytes) -> Script:
    """Answers before the body has come, and takes no more of it than whoever sends it wants to send."""

    def script(call: Call) -> None:
        call.send(plain(b"no", status=status))
        call.gone()  # reads over it: to close with bytes unread would be a reset, which can overtake the answer
        call.close()

    return script


def test_hints_come_one_by_one_and_a_failure_behind_them_is_an_answer(door: Door) -> None:
    """Each 103 passes; an application that dies after them is a 502, and the connection goes on."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </%d.css>; rel=preload\r\n\r\n"
    path = door.upstream.on(saying(hint % 1 + hint % 2, close=True))
    with door.open() as wire:
        assert wire.get(path).status == 502
        assert [each.value(b"link") for each in wire.interims] == [
            b"</1.css>; rel=preload",
            b"</2.css>; rel=preload",
        ]
        assert wire.get("/").body == b"application"


LYING = {
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nevil!",
    "204 in chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevil!\r\n0\r\n\r\n",
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nevil!",
    "304 in chunks": b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevil!\r\n0\r\n\r\n",
    "HEAD with a body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
    "HEAD in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevil!\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", LYING)
def test_answers_that_have_no_body_have_none(door: Door, name: str) -> None:
    """Whatever their headers say and whatever follows: the next answer begins right behind the head."""
    method = "HEAD" if name.startswith("HEAD") else "GET"
    path = door.upstream.on(LYING[name])
    with door.open() as wire:
        for _ in range(3):
            answer = wire.get(path, method=method)
            assert (answer.status, answer.value(b"transfer-encoding")) == (int(LYING[name][9:12]), None)
            if answer.status == 204:
                assert answer.value(b"content-length") is None
            assert wire.get("/").body == b"application"
    surplus = b"evil!" in LYING[name]
    assert len({call.connection for call in door.upstream.find(path)}) == (3 if surplus else 1)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_client_that_sends_on_gets_the_early_answer_and_may_ask_again(
    unlimited: Door, chunked: bool
) -> None:
    """It reads only when it has sent everything, as many do; the rest of its body goes nowhere."""
    door = unlimited
    path = door.upstream.on(_refusing(b"409 Conflict"))
    size = MEGABYTE
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    piece = (door.request("/smuggled/early") * 1_000)[: size // 16].ljust(size // 16, b"x")
    with door.open() as wire:
        wire.send(door.request(path, framing, method="POST"))
        for _ in range(16):
            wire.send(_framed(piece) if chunked else piece)
            time.sleep(0.01)  # so that the answer comes in the middle
        if chunked:
            wire.send(b"0\r\n\r\n")
        assert wire.response().status == 409
        assert wire.get("/").body == b"application"
    assert door.upstream.find("/smuggled/early") == []


def test_the_application_s_connection_is_its_own_business(door: Door) -> None:
    """It ends its connection after an answer; the client's goes on, and hears nothing of it."""
    path = door.upstream.on(
        saying(plain(b"last", b"Connection: close", b"Keep-Alive: timeout=5"), close=True)
    )
    with door.open() as wire:
        for _ in range(3):
            answer = wire.get(path)
            assert (answer.body, answer.value(b"connection"), answer.value(b"keep-alive")) == (
                b"last",
                None,
                None,
            )
    assert len({call.connection for call in door.upstream.find(path)}) == 3


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_without_framing_ends_with_its_connection(door: Door, version: str) -> None:
    """What HTTP/1.0 applications send: in chunks to HTTP/1.1, until the end to HTTP/1.0."""
    path = door.upstream.on(saying(b"HTTP/1.0 200 OK\r\n\r\nall ", b"of it", close=True))
    with door.open() as wire:
        answer = wire.get(path, version=version)
        assert answer.body == b"all of it"
        if version == "1.1":
            assert wire.get("/").body == b"application"
        else:
            with pytest.raises((strict.IncompleteError, ConnectionError)):
                wire.get("/")
