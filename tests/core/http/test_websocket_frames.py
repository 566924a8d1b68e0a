"""Frame boundaries from frame headers alone (rule R22)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.websocket_frames import FrameTracker, close_frame
from tests.fakes.upstream import frame

FRAMES = st.lists(
    st.builds(
        lambda opcode, size, mask: frame(opcode, b"p" * size, mask=mask),
        st.sampled_from([0, 1, 2, 9, 10]),
        st.sampled_from([0, 1, 5, 125, 126, 127, 300, 65_535, 65_536, 70_000]),
        st.sampled_from([None, b"\x01\x02\x03\x04"]),
    ),
    min_size=1,
    max_size=6,
)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(FRAMES, st.lists(st.integers(0, 10**6), max_size=30))
def test_r22_boundaries_do_not_depend_on_how_bytes_arrive(frames, cuts):
    """After every piece the tracker is at a boundary exactly when whole frames have passed."""
    ends, total = {0}, 0
    for each in frames:
        total += len(each)
        ends.add(total)
    tracker, passed = FrameTracker(), 0

    for piece in split(b"".join(frames), cuts):
        tracker.advance(piece)
        passed += len(piece)
        assert tracker.at_boundary == (passed in ends)


@given(FRAMES, st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=10))
def test_r22_advancing_to_the_boundary_stops_there(frames, first, cuts):
    """From anywhere in the stream exactly the rest of the frame under way passes."""
    data = b"".join(frames)
    start = first % (len(data) + 1)
    tracker = FrameTracker()
    tracker.advance(data[:start])
    taken = 0

    for piece in split(data[start:], cuts):
        taken += tracker.advance_to_boundary(piece)
        if tracker.at_boundary:
            break

    total, expected = 0, 0
    for each in frames:
        if total < start < total + len(each):
            expected = total + len(each) - start
        total += len(each)
    assert taken == expected
    assert tracker.at_boundary


def test_byte_by_byte():
    """Headers of every length may arrive one byte at a time."""
    data = (
        frame(1, b"x")
        + frame(2, b"y" * 200, mask=b"abcd")
        + frame(2, b"z" * 65_536, mask=b"abcd")
        + frame(8, b"")
    )
    tracker = FrameTracker()

    for at in range(len(data)):
        assert not tracker.closed
        tracker.advance(data[at : at + 1])

    assert tracker.at_boundary
    assert tracker.closed


@pytest.mark.parametrize("first", [0x08, 0x88, 0xC8, 0xF8])
def test_a_close_is_known_by_its_opcode(first):
    """Whatever bits an end sets beside it."""
    tracker = FrameTracker()
    tracker.advance(bytes((first, 2)))
    assert (tracker.closed, tracker.complete) == (True, False)
    tracker.advance(b"\x03\xe8")
    assert tracker.complete


def test_a_frame_of_any_length_is_followed():
    """Even one that never ends."""
    tracker = FrameTracker()
    tracker.advance(b"\x82\x7f" + b"\xff" * 8 + b"data")

    assert not tracker.at_boundary
    assert tracker.advance_to_boundary(b"x" * 1000) == 1000


def test_close_frames():
    """Unmasked to the client, masked to the upstream, and never longer than a control frame may be."""
    assert close_frame(4401, "signed out") == b"\x88\x0c\x11\x31signed out"
    assert close_frame(4401, "", mask=b"\x01\x02\x03\x04") == b"\x88\x82\x01\x02\x03\x04" + bytes(
        (0x11 ^ 1, 0x31 ^ 2)
    )
    long = close_frame(4401, "é" * 100)
    assert (long[1], len(long)) == (124, 126)
    long[4:].decode()
