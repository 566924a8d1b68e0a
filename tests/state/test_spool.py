"""The spool: what is put is found, torn records are dropped, one process sends at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.revocation import NewEntry
from gateway.state.spool import SIZE, Batch, Spool

ONE = Batch(
    "one", (NewEntry("sid:s", 100, "logout", barrier=50), NewEntry("sub:https://i|\u00e9\n", 9, "x", 7))
)
TWO = Batch("two", (NewEntry("*", 100, "admin"),))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    one = Spool(tmp_path / "state.db.spool")
    one.prepare()
    return one


def sent(spool: Spool) -> list[Batch] | None:
    with spool.sending() as batches:
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


def test_a_failed_sending_keeps_everything(spool: Spool) -> None:
    """What the log did not take stays for the next time."""
    spool.put(ONE)
    with pytest.raises(OSError, match="no"), spool.sending():
        raise OSError("no")

    assert sent(spool) == [ONE]


def test_a_short_use_after_a_long_one_brings_nothing_back(spool: Spool) -> None:
    """Records of an earlier use behind the new ones are not read again."""
    for _ in range(3):
        spool.put(TWO)
    assert sent(spool) == [TWO, TWO, TWO]
    spool.put(TWO)

    assert sent(spool) == [TWO]


def test_a_torn_clearing_brings_nothing_back(spool: Spool) -> None:
    """A crash in mid-clearing leaves old records behind the first; new ones end before them."""
    spool.put(TWO)
    spool.put(TWO)
    with spool.path.open("r+b") as file:
        file.write(b"\0")
    spool.put(TWO)

    assert sent(spool) == [TWO]


def test_one_process_sends_at_a_time(spool: Spool) -> None:
    """Who finds the spool locked does without."""
    spool.put(ONE)
    fd = os.open(spool.path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)

    assert sent(spool) is None
    with pytest.raises(TimeoutError):
        spool.put(TWO, patience=0.01)
    os.close(fd)
    assert sent(spool) == [ONE]


def test_the_room_is_there_before_it_is_needed(spool: Spool) -> None:
    """On a full disk the prepared blocks can still be written."""
    status = spool.path.stat()

    assert status.st_size == SIZE
    assert status.st_blocks * 512 >= SIZE
    spool.put(ONE)
    spool.prepare()
    assert spool.path.stat().st_size == SIZE
    assert sent(spool) == [ONE]


def test_a_spool_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Nothing was spooled, so nothing was lost by its absence."""
    spool = Spool(tmp_path / "none")

    assert not spool.filled()
    assert sent(spool) == []
    spool.put(ONE)
    assert sent(spool) == [ONE]


def test_it_grows_beyond_its_room(spool: Spool) -> None:
    """The room is a promise for full disks, not a limit."""
    large = Batch("large", tuple(NewEntry(f"sid:{n:0>100}", 1, "x") for n in range(300)))
    for _ in range(4):
        spool.put(large)

    assert sent(spool) == [large] * 4
    assert not spool.filled()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(min_value=0, max_value=400), damage=st.binary(min_size=1, max_size=30))
def test_damage_drops_records_and_never_invents_one(spool: Spool, at: int, damage: bytes) -> None:
    """A torn or overwritten record ends the valid ones; what stood before it is whole."""
    spool.path.write_bytes(bytes(SIZE))
    for batch in (ONE, TWO, ONE):
        spool.put(batch)
    with spool.path.open("r+b") as file:
        file.seek(at)
        file.write(damage)

    found = sent(spool)
    assert found in ([], [ONE], [ONE, TWO], [ONE, TWO, ONE])
    spool.path.write_bytes(bytes(SIZE))


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
    """It is neither read in the middle of a write nor emptied under somebody's hands."""
    spool.put(ONE)
    with spool.sending() as batches:
        assert batches == [ONE]
        with pytest.raises(TimeoutError):
            spool.batches(patience=0)
        assert not spool.clear({"one"}, patience=0)
