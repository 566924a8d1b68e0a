"""What is remembered, and what is not any more."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from gateway.core.memo import ENTRY, MARK, SHARE, Kept, Memo, weight


def test_what_is_asked_for_again_is_kept() -> None:
    """And what is asked for again and again stays, however many others come."""
    made: list[int] = []

    def make(key: int) -> str:
        made.append(key)
        return str(key)

    memo = Memo(make, entries=10, size=1 << 20)
    for other in range(1, 1_000):
        assert memo[0] == "0"
        assert memo[other] == str(other)
    assert made.count(0) == 2
    assert memo.kept == 1


def test_what_never_comes_again_drives_nothing_out() -> None:
    """The first time leaves a mark and no more, whatever it is."""
    memo: Memo[int, bytes] = Memo(lambda key: b"%d" % key, entries=64, size=1 << 20)
    known = [(memo[at], memo[at])[1] for at in range(20)]
    taken = memo.taken
    for other in range(100, 100_000):
        memo[other]
    assert memo.taken == taken
    assert [memo[at] is one for at, one in enumerate(known)] == [True] * 20


def test_what_comes_again_too_late_is_new() -> None:
    """As many marks are remembered as entries: each has one place, which the next to come there takes."""
    memo: Memo[int, int] = Memo(lambda key: key, entries=64, size=1 << 20)
    for key in (1, 1 + 64, 1, 1 + 64):
        memo[key]
    assert memo.kept == 0
    memo[65]
    assert list(memo) == [65]


def test_what_was_not_asked_for_is_forgotten() -> None:
    """The oldest first."""
    kept: Kept[str, int] = Kept(entries=4, size=1 << 20)
    for at, name in enumerate("abcdefg"):
        assert kept[name] is None
        assert kept.keep(name, at) == at
    assert kept["a"] is None
    assert kept["g"] == 6


def test_bytes_have_a_bound_too() -> None:
    """Whatever the number of entries may be."""
    kept: Kept[bytes, bytes] = Kept(entries=2_000, size=80_000)
    for at in range(1_000):
        kept.keep(b"%d" % at, b"x" * 1_000)
        assert kept.taken <= 80_000
    assert kept[b"999"] is not None
    assert kept.kept < 64


def test_what_is_too_large_drives_nothing_out() -> None:
    """It is made anew each time instead."""
    memo: Memo[int, bytes] = Memo(lambda key: b"x" * key, entries=100, size=SHARE * 1_000)
    small = [(memo[at], memo[at])[1] for at in range(10)]
    for _ in range(50):
        assert len(memo[1_000]) == 1_000
    assert [memo[at] is one for at, one in enumerate(small)] == [True] * 10
    assert memo.kept == 10


def test_what_fails_is_not_remembered() -> None:
    """The error is the caller's, each time."""

    def make(_: str) -> int:
        raise ValueError("nothing")

    memo = Memo(make, entries=4, size=10_000)
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing"):
            memo["nothing"]
    assert not memo.kept


def test_what_is_none_is_remembered_where_it_was_made() -> None:
    """It is an answer as well, also after a change of generations."""
    asked: list[int] = []
    memo: Memo[int, None] = Memo(asked.append, entries=4, size=10_000)
    for key in (1, 1, 2, 2, 3, 3, 1, 2):
        assert memo[key] is None
    assert asked == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("seed", range(20))
def test_it_counts_exactly(seed: int) -> None:
    """Whatever is kept, replaced, found and dropped, in any order: never more than its bounds, and the last word wins."""
    chance = random.Random(seed)
    kept: Kept[int, bytes] = Kept(entries=16, size=24_000)
    last: dict[int, bytes] = {}
    for _ in range(2_000):
        key = chance.randrange(24)
        what = chance.randrange(4)
        if what == 0:
            last[key] = b"x" * chance.randrange(1_200) + b"%d" % chance.randrange(1_000)
            kept.keep(key, last[key])
        elif what == 1:
            kept.drop(key)
            last.pop(key, None)
        else:
            assert kept[key] in (None, last.get(key))
        held = {**kept._older, **kept}
        assert kept.taken == 16 * MARK + sum(
            weight(key) + weight(value) + ENTRY for key, value in held.items()
        )
        assert kept.taken <= 24_000
        assert kept.kept == len(held) <= 16
    kept.forget()
    assert (kept.taken, kept.kept) == (16 * MARK, 0)


def test_a_weight_is_that_of_all_that_is_held() -> None:
    """Through tuples, sets, mappings and dataclasses."""

    @dataclass(slots=True)
    class Box:
        inside: object

    long = "x" * 10_000
    for thing in (long, long.encode(), (long,), [long], {long}, {"a": long}, {long: 1}, Box((Box(long),))):
        assert 10_000 < weight(thing) < 10_600
