"""Applications and clients that are slow but go on: no limit is for the whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import AMPLE, running
from tests.conformance.recorder import Call
from tests.conformance.wire import Door
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE


@pytest.fixture
def measured(tmp_path: Path, hand: Hand) -> Iterator[Door]:
    """A door with short limits, whose clock is moved by hand."""
    with running(tmp_path, extra=f"timeouts: {{{AMPLE}, first_byte: 500ms, idle: 800ms}}\n") as door:
        yield door


def test_an_answer_that_goes_on_is_not_cut(measured: Door, hand: Hand) -> None:
    """The limit is between two bytes, not for the whole: it may take as long as it likes."""
    arrived = threading.Semaphore(0)

    def script(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for at in range(8):
            assert arrived.acquire(timeout=PATIENCE)
            call.send(b"%d" % at)

    with measured.open() as wire:
        wire.send(measured.request(measured.upstream.on(script)))
        assert wire.head().status == 200
        for at in range(8):
            hand.goes_elsewhere(0.7)
            arrived.release()
            assert wire.read(1) == b"%d" % at


def test_an_upload_that_goes_on_under_an_early_answer_is_not_cut(measured: Door, hand: Hand) -> None:
    """A byte either way is a byte: an answer that has begun may wait for the end of a long upload."""

    def script(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        call.send(b"%05d" % len(call.body()))

    path = measured.upstream.on(script)
    with measured.open() as wire:
        wire.send(measured.request(path, "Content-Length: 8", method="POST"))
        assert wire.head().status == 200
        _, before = measured.upstream.mark()
        for sent in range(8):
            hand.goes_elsewhere(0.7)
            wire.send(b"x")
            measured.upstream.received(before + sent + 1)
        assert wire.read(5) == b"00008"
