"""The spool: what is put is found, torn records are dropped, one process sends at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.signout.revocation import NewEntry
from gateway.state.contract import board
from gateway.state.contract import spool as module
from gateway.state.contract.spool import SIZE, Batch, Spool

ONE = Batch(
    "one", (NewEntry("sid:s", 100, "logout", barrier=50), NewEntry("sub:https://i|\u00e9\n", 9, "x", 7))
)
TWO = Batch("two", (NewEntry("*", 100, "admin"),))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = Spool(tmp_path / "state.db.spool")
    one.prepare()
    yield one
    one.close()


def sent(spool: Spool) -> list[Batch]:
    """What it held; it is empty afterwards."""
    batches = spool.batches()
    assert spool.clear({batch.id for batch in batches})
    return batches


def test_what_is_put_is_sent_in_order_and_once(spool: Spool) -> None:
    """Sending empties the spool."""
    assert not spool.filled()
    spool.put(ONE)
    spool.put(TWO)

    assert spool.filled()
    assert sent(spool) == [ONE, TWO]
    assert sent(spool) == []
    assert not spool.filled()


def test_a_short_use_after_a_long_one_brings_nothing_back(spool: Spool) -> None:
    """Records of an earlier use behind the new ones are not read again."""
    for _ in range(3):
        spool.put(TWO)
    assert sent(spool) == [TWO, TWO, TWO]
    spool.put(TWO)

    assert sent(spool) == [TWO]


def test_a_torn_clearing_brings_nothing_back(spool: Spool) -> None:
    """A crash in mid-clearing leaves old records behind the first; new ones end before them, for everybody."""
    other = Spool(spool.path)
    spool.put(TWO)
    spool.put(TWO)
    assert other.batches() == [TWO, TWO]
    with spool.path.open("r+b") as file:
        board.clear(file.fileno())
        file.seek(board.SIZE)
        file.write(b"\0")
    spool.put(TWO)

    assert other.batches() == [TWO]
    assert sent(spool) == [TWO]


def test_what_was_read_once_is_not_read_again(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thousand records in it one more costs as much as the first, to write and to read; until it is cleared."""
    parsed: list[bytes] = []
    parse = module._parse

    def noted(line: bytes) -> Batch | None:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(module, "_parse", noted)
    other = Spool(spool.path)
    for _ in range(10):
        spool.put(ONE)
        assert other.batches()[-1] == ONE
    assert len(parsed) == 20
    assert other.clear({"one"})
    other.put(TWO)

    assert spool.batches() == [TWO]


def test_a_file_in_the_place_of_another_is_read_from_the_start(spool: Spool) -> None:
    """Also where it got the same number from the file system."""
    spool.put(ONE)
    spool.put(ONE)
    assert len(spool.batches()) == 2
    spool.path.unlink()
    assert spool.look_after()
    spool.put(TWO)

    assert spool.batches() == [TWO]
    assert not spool.look_after()


def test_a_spool_with_little_room_left_says_so(spool: Spool, tmp_path: Path) -> None:
    """With what it has, and what follows; not before three quarters are used."""
    small = Spool(tmp_path / "small", size=4096)
    small.prepare()
    batch = Batch("x" * 900, ())
    for _ in range(3):
        assert small.complaint() == ""
        small.put(batch)
    small.put(batch)
    assert "nearly full (90% of 4 KiB)" in small.complaint()
    assert "lets nobody in at other processes" in small.complaint()
    assert small.clear({batch.id})

    assert small.complaint() == ""
    small.close()


def test_the_room_is_there_before_it_is_needed(spool: Spool) -> None:
    """On a full disk the prepared blocks can still be written."""
    status = spool.path.stat()

    assert status.st_size == board.SIZE + SIZE
    assert status.st_blocks * 512 >= board.SIZE + SIZE
    spool.put(ONE)
    spool.prepare()
    assert spool.path.stat().st_size == board.SIZE + SIZE
    assert sent(spool) == [ONE]


def test_a_spool_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Nothing was spooled, so nothing was lost by its absence."""
    spool = Spool(tmp_path / "none")

    assert not spool.filled()
    assert spool.batches() == []
    spool.put(ONE)
    assert sent(spool) == [ONE]


def test_it_grows_beyond_its_room(spool: Spool) -> None:
    """The room is a promise for full disks, not a limit."""
    large = Batch("large", tuple(NewEntry(f"sid:{n:0>100}", 1, "x") for n in range(3000)))
    for _ in range(4):
        spool.put(large)

    assert sent(spool) == [large] * 4
    assert not spool.filled()


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(at=st.integers(min_value=0, max_value=400), damage=st.binary(min_size=1, max_size=30))
def test_damage_drops_records_and_never_invents_one(spool: Spool, at: int, damage: bytes) -> None:
    """A torn or overwritten record ends the valid ones; what stood before it is whole."""
    spool.path.unlink(missing_ok=True)
    spool.prepare()
    for batch in (ONE, TWO, ONE):
        spool.put(batch)
    with spool.path.open("r+b") as file:
        file.seek(board.SIZE + at)
        file.write(damage)

    found = spool.batches()
    assert found in ([], [ONE], [ONE, TWO], [ONE, TWO, ONE])


def test_looking_into_it_takes_nothing(spool: Spool, tmp_path: Path) -> None:
    """All batches in order; none where there is no file."""
    spool.put(ONE)
    spool.put(TWO)

    assert spool.batches() == spool.batches() == [ONE, TWO]
    assert Spool(tmp_path / "missing").batches() == []


def test_it_is_emptied_only_when_nothing_is_left_to_send(spool: Spool) -> None:
    """All or nothing: what is not sent yet stays as it is."""
    spool.put(ONE)
    spool.put(TWO)

    assert not spool.clear({"one"})
    assert spool.batches() == [ONE, TWO]
    assert spool.clear({"one", "two", "three"})
    assert not spool.filled()


def test_a_spool_that_is_locked_is_left_alone(spool: Spool) -> None:
    """It is neither read in the middle of a write nor written or emptied under somebody's hands."""
    spool.put(ONE)
    fd = os.open(spool.path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(TimeoutError):
        spool.batches(patience=0)
    with pytest.raises(TimeoutError):
        spool.put(TWO, patience=0.01)
    assert not spool.clear({"one"}, patience=0)
    os.close(fd)

    assert sent(spool) == [ONE]


HOSTILE = [
    b"", b"\n", b"[]\n", b'["x",1]\n', b'["x",[[]]]\n', b'["x",[["sid:s",1,"r",null]]]\n',
    b'["x",[[1,1,"r",null,null]]]\n', b'["x",[["sid:s","1","r",null,null]]]\n', b'[[],[]]\n', b'{"x":[]}\n',
    b"[" * 100_000 + b"\n", b'["x",null]\n', b"\xff\xfe\n", b'["x",["abcde"]]\n', b'["x",[{"a":1}]]\n',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE)
def test_a_record_with_the_right_sum_and_nonsense_ends_the_valid_ones(spool: Spool, body: bytes) -> None:
    """Nothing raises, and the next record takes its place."""
    spool.put(ONE)
    end = board.SIZE + spool.path.read_bytes()[board.SIZE :].index(b"\n") + 1
    with spool.path.open("r+b") as file:
        file.seek(end)
        file.write(b"%08x " % zlib.crc32(body[:-1]) + body)

    assert spool.batches() == [ONE]
    spool.put(TWO)
    assert spool.batches() == [ONE, TWO]


def test_what_a_later_release_writes_besides_is_passed_over(spool: Spool) -> None:
    """The entry denies all the same."""
    body = b'["one",[["sid:s",100,"logout",null,50,"more"]]]'
    with spool.path.open("r+b") as file:
        file.seek(board.SIZE)
        file.write(b"%08x %b\n" % (zlib.crc32(body), body))

    assert spool.batches() == [Batch("one", (NewEntry("sid:s", 100, "logout", None, 50),))]


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=st.binary(max_size=5000))
def test_any_file_can_be_used(spool: Spool, content: bytes) -> None:
    """Whatever stood at the path: it is opened, and holds what is put there."""
    spool.path.unlink(missing_ok=True)
    spool.path.write_bytes(content)
    spool.prepare()
    before = spool.batches()
    spool.put(ONE)

    assert spool.batches() == [*before, ONE]


def test_room_that_cannot_be_had_is_said(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asked for again."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        spool.prepare()
        assert "No space" in spool.complaint()
        assert "lets nobody in" in spool.complaint()
    assert not spool.look_after()
    assert spool.shortage == spool.complaint() == ""
