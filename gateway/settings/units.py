"""Durations, sizes, numbers and switches, each from the text that stands in the file or the environment."""

from __future__ import annotations

import re

from gateway.settings.bad_value import BadValueError, quoted

_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d{1,15})(B|KiB|MiB|GiB)?", re.ASCII)
LEAST_ROOM = 64 << 10
MOST_ROOM = 64 << 20
"""Some 300,000 sign-outs, which are 150 MiB of memory in each process."""
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(value: object) -> float:
    """Seconds. ``30m``, ``500ms``, ``12h``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadValueError(
            f"{quoted(value)} is not a duration",
            "write a whole number and one unit of ms, s, m, h, d, such as 30m",
        )
    return int(match[1]) * _SECONDS[match[2]]


def parse_patience(value: object) -> float:
    """Seconds; none of them means for ever, so that a limit is one comparison."""
    return parse_duration(value) or float("inf")


def parse_lifetime(value: object) -> float:
    """Seconds, more than none."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise BadValueError("is no time at all", "write a duration above zero, such as 30s")
    return seconds


def parse_seconds(value: object) -> float:
    """Whole seconds, at least one: what a sealed deadline can say."""
    seconds = parse_lifetime(value)
    if not seconds.is_integer():
        raise BadValueError(f"{quoted(value)} is not whole seconds", "write a duration such as 2s")
    return seconds


def parse_size(value: object) -> int:
    """Bytes. ``32KiB``, ``7000``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadValueError(
            f"{quoted(value)} is not a size",
            "write bytes, or a whole number with KiB, MiB or GiB, such as 32KiB",
        )
    return int(match[1]) * _BYTES[match[2]]


def parse_room(value: object) -> int:
    """Bytes on a disk: enough for some sign-outs, and no more than a process can have in mind."""
    size = parse_size(value)
    if not LEAST_ROOM <= size <= MOST_ROOM:
        raise BadValueError(
            f"{quoted(value)} is out of range",
            "write a size from 64KiB, which is room for some 300 sign-outs, to 64MiB",
        )
    return size


def parse_flag(value: object) -> bool:
    """``true`` or ``false``: YAML 1.1's other spellings are read differently by different tools."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):  # a tuple: what stands there may have no hash
        return value == "true"
    raise BadValueError(f"{quoted(value)} is neither true nor false", "write true or false")


def parse_count(value: object) -> int:
    """A whole number of things, from zero."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not (isinstance(value, str) and _COUNT.fullmatch(value)):
        raise BadValueError(
            f"{quoted(value)} is not a number of things", "write a whole number, such as 1024"
        )
    return int(value)


def parse_number(value: object) -> int:
    """A whole number of things, at least one."""
    if (count := parse_count(value)) < 1:
        raise BadValueError("leaves no room for one", "write a whole number above zero, such as 512")
    return count
