"""Durations, sizes and switches."""

from __future__ import annotations

import pytest

from gateway.settings.bad_value import BadValueError, quoted
from gateway.settings.units import (
    parse_count,
    parse_duration,
    parse_flag,
    parse_lifetime,
    parse_room,
    parse_seconds,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("12h", 43200), ("7d", 604800), ("0s", 0)]
)
def test_durations_are_seconds(text, seconds):
    """A whole number and one unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["30", "1h30m", "-5s", "1.5h", "5 m", "5M", "", "٣s", "5s\n", ["5s"], None])
def test_other_durations_are_refused_with_a_unit_to_write(text):
    """Whatever else is written is told which units there are."""
    with pytest.raises(BadValueError, match="such as 30m"):
        parse_duration(text)


def test_a_lifetime_is_more_than_none():
    """No session lasts zero seconds."""
    with pytest.raises(BadValueError, match="above zero"):
        parse_lifetime("0s")


def test_what_is_sealed_is_whole_seconds():
    """Sealed deadlines count whole seconds; less would silently become none."""
    assert parse_seconds("2000ms") == 2
    with pytest.raises(BadValueError, match="whole seconds"):
        parse_seconds("500ms")


@pytest.mark.parametrize(
    ("text", "size"),
    [("7000", 7000), ("32KiB", 32768), ("2MiB", 2 << 20), ("1GiB", 1 << 30), ("9B", 9), ("0", 0)],
)
def test_sizes_are_bytes(text, size):
    """Bare numbers are bytes, the units are powers of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "room"), [("64KiB", 65536), ("1MiB", 1 << 20), ("64MiB", 1 << 26)])
def test_a_room_has_its_bounds(text, room):
    """Both of them are within."""
    assert parse_room(text) == room


@pytest.mark.parametrize("text", ["0", "65535", "64KB", "67108865", "1GiB", "all of it", None])
def test_other_rooms_are_refused_with_what_to_write(text):
    """None is no room for anything, and nobody keeps a gigabyte of sign-outs in mind."""
    with pytest.raises(BadValueError, match=r"such as 32KiB|from 64KiB"):
        parse_room(text)


@pytest.mark.parametrize("text", ["32KB", "32k", "1.5MiB", "-1", "32 KiB", ""])
def test_other_sizes_are_refused(text):
    """KB is 1000 for some and 1024 for others; neither is guessed."""
    with pytest.raises(BadValueError, match="such as 32KiB"):
        parse_size(text)


def test_counts_are_whole_numbers():
    """From zero; a size or a fraction of a thing is none."""
    assert (parse_count("1024"), parse_count("0"), parse_count(7)) == (1024, 0, 7)
    for text in ("-1", "1.5", "1KiB", "\u0661", "", None, True):
        with pytest.raises(BadValueError, match="whole number"):
            parse_count(text)


@pytest.mark.parametrize("text", ["yes", "on", "1", "True", ""])
def test_switches_are_true_or_false(text):
    """Spellings that tools read differently are refused."""
    assert parse_flag("true") is True
    assert parse_flag("false") is False
    with pytest.raises(BadValueError, match="write true or false"):
        parse_flag(text)


def test_values_are_quoted_short_and_printable():
    """A finding stays one line, whatever the value was."""
    assert quoted("a\nb") == "the value"
    assert len(quoted("x" * 500)) < 70
    assert quoted({"a": "b"}) == "a mapping"
