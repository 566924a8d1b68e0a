"""Event boundaries of text/event-stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.sse import LOGGED_OUT, EventTracker


@pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n", b"\r\n\n"])
def test_an_empty_line_ends_an_event(end):
    """After any of the three line ends."""
    tracker = EventTracker()

    tracker.advance(b"data: x" + end)

    assert tracker.at_boundary


@pytest.mark.parametrize(
    "part", [b"data", b"data: x\n", b"data: x\r\n", b"data: x\r\n\r\nid", b": comment\r"]
)
def test_within_an_event_is_no_boundary(part):
    """An unfinished line, or a line without the empty one after it."""
    tracker = EventTracker()

    tracker.advance(part)

    assert not tracker.at_boundary


def test_the_beginning_is_a_boundary():
    """Nothing has been sent yet."""
    assert EventTracker().at_boundary


@given(st.binary(max_size=30), st.integers(0, 30))
def test_boundaries_do_not_depend_on_how_bytes_arrive(data, cut):
    """Two pieces say the same as one."""
    whole, pieces = EventTracker(), EventTracker()
    whole.advance(data)
    pieces.advance(data[:cut])
    pieces.advance(data[cut:])

    assert whole.at_boundary == pieces.at_boundary


def test_the_last_event_is_an_event():
    """It ends with a boundary of its own."""
    tracker = EventTracker()
    tracker.advance(LOGGED_OUT)

    assert tracker.at_boundary
