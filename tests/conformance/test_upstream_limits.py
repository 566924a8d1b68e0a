"""How long an application may take, and how much it is asked at once: what users are told, and what it costs others."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from gateway.web.pages.catalogue import message
from tests.conformance import strict
from tests.conformance.conftest import AMPLE, running
from tests.conformance.recorder import Call, plain
from tests.conformance.wire import Door, Wire
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE

TIMES = f"timeouts: {{{AMPLE}, first_byte: 500ms, idle: 800ms, client_body: 800ms}}\n"


@pytest.fixture(scope="module")
def limits() -> Hand:
    """Moves the limits of `impatient`: none passes before the test has brought about what it is for."""
    return Hand()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, limits: Hand) -> Iterator[Door]:
    """A door with short limits. Under ``/full/`` is an application whose backlog is full, under ``/mute/`` one that is
    connected to by the kernel and says nothing, where TLS would have to be agreed on: only to these it connects in
    a time of its own.
    """
    with ExitStack() as opened:
        full = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        mute = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        port = full.getsockname()[1]
        for _ in range(4):  # the kernel takes one or two, and drops who comes after them
            opened.enter_context(_begun(port))
        routes = (
            f"  - {{path: /full/, url: 'http://127.0.0.1:{port}', connect: 400ms}}\n"
            f"  - {{path: /mute/, url: 'https://localhost:{mute.getsockname()[1]}', connect: 400ms}}\n"
        )
        with pytest.MonkeyPatch.context() as patch:
            limits.put(patch)
            directory = tmp_path_factory.mktemp("impatient")
            door = opened.enter_context(running(directory, routes=routes, extra=TIMES))
        yield door
        assert door.upstream.faults() == []


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Door]:
    """A door that opens two connections to its application, and lets two requests wait."""
    extra = f"timeouts: {{{AMPLE}}}\nlimits: {{upstream_connections: 2, upstream_queue: 2}}\n"
    with running(tmp_path, extra=extra) as door:
        yield door


def _begun(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


def _refused(answer: strict.Message, status: int, code: str) -> None:
    """A problem document with this status and code, in its words."""
    problem = json.loads(answer.body)
    assert (answer.status, answer.value(b"content-type"), problem["code"]) == (
        status,
        b"application/problem+json",
        code,
    )
    title, what, fix = (message(f"reason.{code}.{part}") for part in ("title", "what", "fix"))
    assert (problem["title"], problem["detail"]) == (title, f"{what} {fix}")


def _in_time(wire: Wire, limits: Hand, meanwhile: Callable[[], object] = int) -> None:
    """Let time go by until something comes, if only the end. :param meanwhile: done before each moment."""
    while not wire.comes(0):
        meanwhile()
        limits.goes_elsewhere(0.05)


def _silent(call: Call) -> None:
    call.body()
    call.gone()
    call.close()


@pytest.mark.parametrize("path", ["/full/a", "/mute/a"])
def test_a_connection_that_is_not_accepted_in_time(impatient: Door, path: str) -> None:
    """504 with its own code, and word of when to try again; other applications are not touched."""
    with impatient.open() as wire:
        answer = wire.get(path)
        _refused(answer, 504, "connect_timeout")
        assert answer.value(b"retry-after") == b"5"
        assert wire.get("/").body == b"application"


def test_an_answer_that_does_not_begin_in_time(impatient: Door, limits: Hand) -> None:
    """504, without a body and behind one, at once and in pieces; the application sees its client leave."""
    asked = threading.Semaphore(0)
    left: list[bool] = []

    def script(call: Call) -> None:
        call.body()
        asked.release()
        left.append(call.gone())
        call.close()

    path = impatient.upstream.on(script)
    with impatient.open() as wire:
        head = impatient.request(path, "Content-Length: 3", method="POST")
        for turn, pieces in enumerate([(impatient.request(path),), (head + b"abc",), (head, b"abc")], 1):
            for piece in pieces:
                wire.send(piece)
                impatient.upstream.wait(path, turn)
            assert asked.acquire(timeout=PATIENCE)
            _in_time(wire, limits)
            _refused(wire.response(), 504, "first_byte_timeout")
        assert wire.get("/").body == b"application"
    _until(lambda: left == [True] * 3)
    assert len(impatient.upstream.find(path)) == 3


STALLING = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\npart",
}


@pytest.mark.parametrize("sent", STALLING.values(), ids=STALLING)
def test_an_answer_that_stops_in_mid_way_is_broken_visibly(
    impatient: Door, limits: Hand, sent: bytes
) -> None:
    """After the idle limit, and never as if it were whole; the application sees its client leave."""
    left: list[bool] = []

    def script(call: Call) -> None:
        call.body()
        call.send(sent)
        left.append(call.gone())
        call.close()

    with impatient.open() as wire:
        wire.send(impatient.request(impatient.upstream.on(script)))
        while b"part" not in wire.unread:
            assert wire.more()
        _in_time(wire, limits)
        with pytest.raises(strict.IncompleteError):
            wire.response()
    _until(lambda: left == [True])


def test_an_application_that_takes_no_more_of_the_body(impatient: Door, limits: Hand) -> None:
    """504: it is the application that is too slow, not the client."""
    over = threading.Event()

    def stop(call: Call) -> None:
        over.wait(PATIENCE)
        call.close()

    path = impatient.upstream.on(stop)
    with impatient.open() as wire:
        wire.send(impatient.request(path, f"Content-Length: {1 << 40}", method="POST"))
        impatient.upstream.wait(path)
        wire.sock.setblocking(False)
        _in_time(wire, limits, meanwhile=partial(_fill, wire))
        wire.sock.settimeout(PATIENCE)
        _refused(wire.response(), 504, "idle_timeout")
        over.set()


@pytest.mark.parametrize("framing", ["Content-Length: 9", "Transfer-Encoding: chunked"])
def test_a_client_whose_body_stops_is_told_that_it_is_too_slow(
    impatient: Door, limits: Hand, framing: str
) -> None:
    """408: nobody else's fault. The application sees a broken request, and the connection ends."""
    broken: list[bool] = []

    def script(call: Call) -> None:
        try:
            call.body()
            broken.append(False)
        except Exception:
            broken.append(True)
            raise

    path = impatient.upstream.on(script)
    with impatient.open() as wire:
        wire.send(impatient.request(path, framing, method="POST"))
        wire.send(b"4\r\npart\r\n" if "chunked" in framing else b"part")
        impatient.upstream.wait(path)
        _in_time(wire, limits)
        answer = wire.response()
        _refused(answer, 408, "too_slow")
        assert answer.value(b"connection") == b"close"
        assert wire.rest() == b""
    _until(lambda: broken == [True])


def test_people_get_a_page_where_programs_get_a_problem(impatient: Door, limits: Hand) -> None:
    """The same words, as a page with its code; both say what to do."""
    path = impatient.upstream.on(_silent)
    with impatient.open() as wire:
        page = ("Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
        wire.send(impatient.request(path, *page))
        impatient.upstream.wait(path)
        _in_time(wire, limits)
        answer = wire.response()
    assert (answer.status, answer.value(b"retry-after")) == (504, b"5")
    assert (answer.value(b"content-type") or b"").startswith(b"text/html")
    for part in ("title", "what", "fix"):
        assert message(f"reason.first_byte_timeout.{part}").encode() in answer.body
    assert b"first_byte_timeout" in answer.body


class Held:
    """Answers that wait to be let go; ``order``: what was asked."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.order: list[bytes] = []
        self._go = threading.Semaphore(0)
        self.path = door.upstream.on(self._script)

    def _script(self, call: Call) -> None:
        call.body()
        self.order.append(call.head.target.partition(b"?")[2])
        assert self._go.acquire(timeout=PATIENCE)
        call.send(plain(call.head.target.partition(b"?")[2]))

    def ask(self, name: str) -> Wire:
        """Ask on a connection of its own."""
        wire = self.door.open()
        wire.send(self.door.request(f"{self.path}?{name}"))
        return wire

    def begun(self, count: int) -> bool:
        """Whether so many have been asked."""
        return len(self.order) >= count

    def let_go(self, count: int = 1) -> None:
        self._go.release(count)


def test_more_than_an_application_may_be_asked_wait_in_order_or_are_refused(narrow: Door) -> None:
    """Two are asked, two wait in their order, one more is told that it is too busy, and when to come again."""
    held = Held(narrow)
    wires = [held.ask("a"), held.ask("b")]
    _until(lambda: len(held.order) == 2)
    for count, name in enumerate("cd", 1):
        wires.append(held.ask(name))
        _until(partial(_waiting, narrow, count))
    with narrow.open() as late:
        answer = late.get(f"{held.path}?e")
        _refused(answer, 503, "upstream_busy")
        assert answer.value(b"retry-after") == b"5"
        assert late.get("/oauth2/session").status == 200
    for count in (3, 4):
        held.let_go()
        _until(partial(held.begun, count))
    held.let_go(2)
    assert [wire.response().body for wire in wires] == [b"a", b"b", b"c", b"d"]
    assert sorted(held.order[:2]) == [b"a", b"b"]
    assert held.order[2:] == [b"c", b"d"]
    assert len({call.connection for call in narrow.upstream.find(held.path)}) == 2
    for wire in wires:
        wire.sock.close()


def test_a_client_that_leaves_the_queue_makes_room_in_it(narrow: Door) -> None:
    """Another may wait in its place, and its request never reaches the application."""
    held = Held(narrow)
    wires = [held.ask("a"), held.ask("b")]
    _until(lambda: len(held.order) == 2)
    leaving = [held.ask("left"), held.ask("left")]
    _until(partial(_waiting, narrow, 2))
    with narrow.open() as late:
        assert late.get(held.path).status == 503
    for wire in leaving:
        wire.leave()
    _until(partial(_waiting, narrow, 0))
    wires += [held.ask("c"), held.ask("d")]
    _until(partial(_waiting, narrow, 2))

    def all_begun() -> bool:
        held.let_go()
        return held.begun(4)

    _until(all_begun)
    held.let_go(4)
    assert {wire.response().body for wire in wires} == {b"a", b"b", b"c", b"d"}
    assert sorted(held.order) == [b"a", b"b", b"c", b"d"]
    for wire in wires:
        wire.sock.close()


def test_a_stale_connection_costs_a_safe_request_nothing(door: Door) -> None:
    """The application ends a kept connection when the next request comes: it is sent once more, and answered."""
    path = door.upstream.on(_closing_kept_connections())
    with door.open() as wire:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            assert wire.get(path, "X-First: yes").status == 200
            assert wire.get(path, method=method).status == 200, method


def test_a_stale_connection_that_was_waited_for_costs_nothing_either(narrow: Door) -> None:
    """It became free for a request in the queue, and was ended when that came."""
    held = Held(narrow)
    wires = [held.ask("a"), held.ask("b")]
    _until(lambda: len(held.order) == 2)

    def script(call: Call) -> None:
        call.body()
        if call.connection in {each.connection for each in narrow.upstream.find(held.path)}:
            call.close()
        call.send(plain(b"after all"))

    with narrow.open() as waiting:
        waiting.send(narrow.request(narrow.upstream.on(script)))
        _until(partial(_waiting, narrow, 1))
        held.let_go(2)
        assert waiting.response().body == b"after all"
    assert [wire.response().body for wire in wires] == [b"a", b"b"]
    for wire in wires:
        wire.sock.close()


def test_a_request_that_is_not_safe_to_repeat_is_sent_once(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POST and PATCH, and whatever has a body: 502, for nobody knows what has been done already."""
    monkeypatch.setattr(
        "gateway.proxy.pool.FRESH_SECONDS", PATIENCE
    )  # else a second later it goes on a new one
    path = door.upstream.on(_closing_kept_connections())
    with door.open() as wire:
        for method, body in (("POST", b""), ("PATCH", b""), ("PUT", b"a"), ("DELETE", b"a")):
            assert wire.get(path, "X-First: yes").status == 200
            before = len(door.upstream.find(path))
            answer = wire.get(path, f"Content-Length: {len(body)}", method=method, body=body)
            _refused(answer, 502, "broken_response")
            assert len(door.upstream.find(path)) == before + 1, method


def _closing_kept_connections() -> Callable[[Call], None]:
    """Answers what comes first on a connection, or says that it does; ends the connection at anything else."""
    known: set[int] = set()

    def script(call: Call) -> None:
        call.body()
        if call.connection in known and not call.head.values(b"x-first"):
            call.close()
        known.add(call.connection)
        head_only = call.head.method == b"HEAD"
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if head_only else b"ok"))

    return script


def _fill(wire: Wire) -> None:
    """Send as much as anybody takes."""
    with contextlib.suppress(BlockingIOError, ConnectionError):
        while True:
            wire.sock.send(bytes(1 << 18))


def _waiting(door: Door, count: int) -> bool:
    """Whether so many requests wait for a connection."""
    assert door.waiting is not None
    return door.waiting() == count


def _until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
